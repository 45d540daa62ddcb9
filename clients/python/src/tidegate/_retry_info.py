"""How long a refusal asks to wait: google.rpc.RetryInfo in its details."""

from __future__ import annotations

from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
)
from google.protobuf.message import DecodeError

from tidegate._values import to_seconds

# Trailing metadata of a status with details: a serialized google.rpc.Status.
DETAILS_KEY = "grpc-status-details-bin"

_TYPE_URL = "type.googleapis.com/google.rpc.RetryInfo"


def _messages() -> tuple[type[Any], type[Any]]:
    """google.rpc.Status and RetryInfo, in a pool of their own.

    Generated code for them may or may not be there; it must not clash.
    """
    pool = descriptor_pool.DescriptorPool()
    for module in (any_pb2, duration_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="tidegate/rpc_status.proto",
        package="google.rpc",
        syntax="proto3",
        dependency=[any_pb2.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name],
    )
    status = file.message_type.add(name="Status")
    status.field.add(
        name="details",
        number=3,
        label=field.LABEL_REPEATED,
        type=field.TYPE_MESSAGE,
        type_name=".google.protobuf.Any",
    )
    retry = file.message_type.add(name="RetryInfo")
    retry.field.add(
        name="retry_delay",
        number=1,
        label=field.LABEL_OPTIONAL,
        type=field.TYPE_MESSAGE,
        type_name=".google.protobuf.Duration",
    )
    pool.AddSerializedFile(file.SerializeToString())
    status_class, retry_class = (
        message_factory.GetMessageClass(
            pool.FindMessageTypeByName("google.rpc." + name)
        )
        for name in ("Status", "RetryInfo")
    )
    return status_class, retry_class


_STATUS, _RETRY_INFO = _messages()


def retry_delay_s(details: bytes) -> float | None:
    """None if the details say nothing of it, or cannot be read."""
    try:
        for detail in _STATUS.FromString(details).details:
            if detail.type_url == _TYPE_URL:
                info = _RETRY_INFO.FromString(detail.value)
                return max(0.0, to_seconds(info.retry_delay))
    except DecodeError:
        return None
    return None
