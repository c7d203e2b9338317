"""The program, as `smbmount` and as `python -m smbmount`."""

import sys

_INTERRUPTED = 8  # exit code of mount(8)


def main() -> None:
    """Run it. A Ctrl-C while it is still being loaded ends it as quietly as later."""
    try:
        from .cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
