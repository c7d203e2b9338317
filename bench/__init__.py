"""How fast a mount is, timed beside Samba's own client in the same run."""
