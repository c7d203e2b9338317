"""python -m smbmount."""

from .cli import main

main()
