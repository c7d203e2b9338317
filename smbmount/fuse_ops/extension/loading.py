"""Load the C module so that pyfuse3 finds it before libfuse.

The dynamic linker looks a function up in what is global, in the order of loading, before it looks
into pyfuse3's own libraries. So the module is loaded RTLD_GLOBAL, and pyfuse3 after it.
"""

import importlib
import os
import sys


def load() -> str | None:
    """Load it, and pyfuse3 behind it. Returns why it cannot be used; None if it can."""
    if "pyfuse3" in sys.modules:
        return "pyfuse3 was imported before it"
    before = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
    try:
        importlib.import_module("smbmount.fuse_ops.extension._fuse_session")
    except ImportError as error:
        return f"it is not built for this Python ({error})"
    finally:
        sys.setdlopenflags(before)
    return None
