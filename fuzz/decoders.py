"""All decoders there are, found by looking: what is new in `smbmount.proto` is fuzzed unasked."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import smbmount.proto
from smbmount.proto import chain, compound, framing, fscc_directory, sealing, signing, smb1
from smbmount.proto.fscc_classes import FileInformationClass
from smbmount.proto.header import Command, Header
from smbmount.proto.negotiate_contexts import Cipher, SigningAlgorithm

HEADER = Header(Command.ECHO).pack()
_COUNTS = (0, 1, 3, 64)  # what a message's fixed part may have announced
_KEY, _SESSION = bytes(16), 1


@dataclass(frozen=True, slots=True)
class Decoder:
    """One way from bytes to values. `decode` does all the work, lazy results included."""

    name: str
    decode: Callable[[memoryview], object]
    behind_header: bool  # True if it wants a whole message: the header is put before the input


def modules() -> Iterator[ModuleType]:
    """Every module of `smbmount.proto`, packages inside it included."""
    for found in pkgutil.walk_packages(smbmount.proto.__path__, "smbmount.proto."):
        yield importlib.import_module(found.name)


def find() -> list[Decoder]:
    """All decoders, in a fixed order."""
    found = {decoder.name: decoder for module in modules() for decoder in _of(module)}
    for decoder in _special():
        found[decoder.name] = decoder
    return [found[name] for name in sorted(found)]


def _of(module: ModuleType) -> Iterator[Decoder]:
    short = module.__name__.removeprefix("smbmount.proto.")
    for name, thing in vars(module).items():
        if getattr(thing, "__module__", None) != module.__name__:
            continue  # imported from where it is found anyway
        if inspect.isclass(thing):
            decode = getattr(thing, "unpack", None)
            if decode is not None and _is_usable(thing):
                yield _decoder(f"{short}.{name}", decode)
        elif inspect.isfunction(thing) and name.startswith("unpack"):
            yield from _function(f"{short}.{name}", thing)


def _is_usable(kind: type) -> bool:
    """False for a base class, which has no layout of its own, and for a Protocol."""
    if getattr(kind, "_is_protocol", False):
        return False
    return "_LAYOUT" not in kind.__annotations__ or hasattr(kind, "_LAYOUT")


def _decoder(name: str, decode: Callable[..., object]) -> Decoder:
    first = next(iter(inspect.signature(decode).parameters))
    return Decoder(name, decode, behind_header=first == "message")


def _function(name: str, decode: Callable[..., object]) -> Iterator[Decoder]:
    """A function of the data alone, or of the data and a count from elsewhere."""
    parameters = list(inspect.signature(decode).parameters)
    if len(parameters) == 1:
        yield _decoder(name, decode)
    elif parameters[1:] == ["count"]:
        for count in _COUNTS:
            yield _decoder(f"{name}({count})", partial(decode, count=count))
    else:
        raise TypeError(
            f"no way to fuzz {name}{inspect.signature(decode)} is known; teach _special"
        )


def _listed(info_class: int, data: memoryview) -> list[fscc_directory.Entry]:
    return list(fscc_directory.entries(info_class, data))


def _walked(smallest: int, data: memoryview) -> list[memoryview]:
    return list(chain.walk(data, smallest, "fuzz"))


def _frame(data: memoryview) -> object:
    """A frame as the connection takes it: length, then transform or compound, then headers."""
    framing.frame_length(data[:4])
    if sealing.is_transform(data[4:]):
        return sealing.TransformHeader.unpack(data[4:])
    return [Header.unpack(message) for message in compound.split(data[4:])]


def _special() -> Iterator[Decoder]:
    """Decoders of another shape."""
    yield Decoder("frame", _frame, False)
    yield Decoder("compound.split", compound.split, False)
    yield Decoder("smb1.is_smb1", smb1.is_smb1, False)
    for smallest in (4, 12, 64):
        yield Decoder(f"chain.walk({smallest})", partial(_walked, smallest), False)
    for info_class in (FileInformationClass.FILE_NAMES_INFORMATION, *fscc_directory._LAYOUTS):
        name = FileInformationClass(info_class).name
        yield Decoder(f"fscc_directory.entries({name})", partial(_listed, info_class), False)
    for cipher in (Cipher.AES_128_CCM, Cipher.AES_128_GCM):
        sealer = sealing.Sealer(cipher, _KEY, _KEY, _SESSION)
        yield Decoder(f"sealing.unseal({cipher.name})", sealer.unseal, False)
    for algorithm in SigningAlgorithm:
        signer = signing.Signer(algorithm, _KEY)
        yield Decoder(f"signing.verify({algorithm.name})", signer.verify, True)


def weight(value: Any) -> int:
    """Bytes that a decoded value keeps, roughly: payloads, and a word for every field.

    Views weigh nothing: they are the input itself.
    """
    if isinstance(value, memoryview):
        return 8
    if isinstance(value, (bytes, bytearray)):
        return 8 + len(value)
    if isinstance(value, str):
        return 8 + 2 * len(value)
    if isinstance(value, (tuple, list, set, frozenset)):
        return 8 + sum(weight(item) for item in value)
    if isinstance(value, dict):
        return 8 + sum(weight(key) + weight(item) for key, item in value.items())
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return 8 + sum(weight(getattr(value, name, None)) for name in slots)
