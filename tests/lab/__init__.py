"""The lab: real servers as private instances, and a proxy that spoils what lies between.

Everything runs on loopback addresses of its own with directories of its own, and is gone
afterwards, even when the test that started it dies.
"""
