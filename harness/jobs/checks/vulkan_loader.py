"""Ask the Vulkan loader for its devices and print them as JSON; a process of its own, since drivers may crash."""

from __future__ import annotations

import ctypes
import json
import sys

_LIBRARY = "libvulkan.so.1"
# VkPhysicalDeviceType
_KINDS = ("OTHER", "INTEGRATED_GPU", "DISCRETE_GPU", "VIRTUAL_GPU", "CPU")
_INSTANCE_CREATE_INFO = 1
# The driver writes sizeof(VkPhysicalDeviceProperties), 824 bytes, and later versions no more.
_PROPERTIES_BYTES = 4096
_TYPE_OFFSET, _NAME_OFFSET, _NAME_BYTES = 16, 20, 256


class _InstanceCreateInfo(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("next", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
        ("application", ctypes.c_void_p),
        ("layer_count", ctypes.c_uint32),
        ("layers", ctypes.c_void_p),
        ("extension_count", ctypes.c_uint32),
        ("extensions", ctypes.c_void_p),
    )


def list_devices() -> list[tuple[str, str]]:
    """Return name and kind of every device.

    Raises:
        OSError: there is no loader.
        RuntimeError: it has no driver, or the driver refuses.
    """
    vulkan = ctypes.CDLL(_LIBRARY)
    instance = ctypes.c_void_p()
    info = _InstanceCreateInfo(type=_INSTANCE_CREATE_INFO)
    _check(vulkan.vkCreateInstance(ctypes.byref(info), None, ctypes.byref(instance)), "vkCreateInstance")
    count = ctypes.c_uint32()
    name = "vkEnumeratePhysicalDevices"
    _check(vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None), name)
    handles = (ctypes.c_void_p * count.value)()
    _check(vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles), name)
    return [_describe(vulkan, handle) for handle in handles[: count.value]]


def _describe(vulkan: ctypes.CDLL, handle: int | None) -> tuple[str, str]:
    properties = ctypes.create_string_buffer(_PROPERTIES_BYTES)
    vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(handle), properties)
    kind = int.from_bytes(properties.raw[_TYPE_OFFSET : _TYPE_OFFSET + 4], sys.byteorder)
    name = properties.raw[_NAME_OFFSET : _NAME_OFFSET + _NAME_BYTES].partition(b"\0")[0].decode(errors="replace")
    return name, _KINDS[kind] if kind < len(_KINDS) else "OTHER"


def _check(result: int, call: str) -> None:
    if result != 0:
        raise RuntimeError(f"{call} answers {result}")


if __name__ == "__main__":
    try:
        print(json.dumps(list_devices()))
    except (OSError, RuntimeError) as error:
        sys.exit(str(error))
