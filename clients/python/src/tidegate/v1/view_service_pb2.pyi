import datetime

from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Finality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINALITY_UNSPECIFIED: _ClassVar[Finality]
    FINALITY_PROVISIONAL: _ClassVar[Finality]
    FINALITY_FINAL: _ClassVar[Finality]
    FINALITY_CORRECTED: _ClassVar[Finality]
FINALITY_UNSPECIFIED: Finality
FINALITY_PROVISIONAL: Finality
FINALITY_FINAL: Finality
FINALITY_CORRECTED: Finality

class Position(_message.Message):
    __slots__ = ("incarnation", "partitions")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    incarnation: bytes
    partitions: _containers.RepeatedCompositeFieldContainer[PartitionSeq]
    def __init__(self, incarnation: _Optional[bytes] = ..., partitions: _Optional[_Iterable[_Union[PartitionSeq, _Mapping]]] = ...) -> None: ...

class PartitionSeq(_message.Message):
    __slots__ = ("partition", "seq")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    partition: int
    seq: int
    def __init__(self, partition: _Optional[int] = ..., seq: _Optional[int] = ...) -> None: ...

class Range(_message.Message):
    __slots__ = ("partition", "to")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    partition: int
    to: int
    def __init__(self, partition: _Optional[int] = ..., to: _Optional[int] = ..., **kwargs) -> None: ...

class Change(_message.Message):
    __slots__ = ("upsert", "deleted", "left", "finality", "event_time")
    UPSERT_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    FINALITY_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    upsert: bytes
    deleted: bytes
    left: bytes
    finality: Finality
    event_time: _timestamp_pb2.Timestamp
    def __init__(self, upsert: _Optional[bytes] = ..., deleted: _Optional[bytes] = ..., left: _Optional[bytes] = ..., finality: _Optional[_Union[Finality, str]] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("view", "keys", "key_prefix", "where", "resume_token", "skip_snapshot", "min_interval", "progress_interval")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    KEY_PREFIX_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    view: str
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    key_prefix: bytes
    where: str
    resume_token: bytes
    skip_snapshot: bool
    min_interval: _duration_pb2.Duration
    progress_interval: _duration_pb2.Duration
    def __init__(self, view: _Optional[str] = ..., keys: _Optional[_Iterable[bytes]] = ..., key_prefix: _Optional[bytes] = ..., where: _Optional[str] = ..., resume_token: _Optional[bytes] = ..., skip_snapshot: _Optional[bool] = ..., min_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., progress_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("changes", "ranges", "resume_token", "snapshot", "snapshot_end", "position", "watermark", "committed_at", "sent_at", "reset", "drain", "fragment")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    ranges: _containers.RepeatedCompositeFieldContainer[Range]
    resume_token: bytes
    snapshot: bool
    snapshot_end: bool
    position: Position
    watermark: _timestamp_pb2.Timestamp
    committed_at: _timestamp_pb2.Timestamp
    sent_at: _timestamp_pb2.Timestamp
    reset: Reset
    drain: Drain
    fragment: bool
    def __init__(self, changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ..., ranges: _Optional[_Iterable[_Union[Range, _Mapping]]] = ..., resume_token: _Optional[bytes] = ..., snapshot: _Optional[bool] = ..., snapshot_end: _Optional[bool] = ..., position: _Optional[_Union[Position, _Mapping]] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., committed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sent_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reset: _Optional[_Union[Reset, _Mapping]] = ..., drain: _Optional[_Union[Drain, _Mapping]] = ..., fragment: _Optional[bool] = ...) -> None: ...

class Reset(_message.Message):
    __slots__ = ("cause", "detail")
    class Cause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CAUSE_UNSPECIFIED: _ClassVar[Reset.Cause]
        HISTORY_TRIMMED: _ClassVar[Reset.Cause]
        UNKNOWN_INCARNATION: _ClassVar[Reset.Cause]
        VIEW_REBUILT: _ClassVar[Reset.Cause]
    CAUSE_UNSPECIFIED: Reset.Cause
    HISTORY_TRIMMED: Reset.Cause
    UNKNOWN_INCARNATION: Reset.Cause
    VIEW_REBUILT: Reset.Cause
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    cause: Reset.Cause
    detail: str
    def __init__(self, cause: _Optional[_Union[Reset.Cause, str]] = ..., detail: _Optional[str] = ...) -> None: ...

class Drain(_message.Message):
    __slots__ = ("retry_after",)
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    retry_after: _duration_pb2.Duration
    def __init__(self, retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SessionRequest(_message.Message):
    __slots__ = ("request", "watch", "keys", "unwatch")
    class Watch(_message.Message):
        __slots__ = ("id", "subscribe")
        ID_FIELD_NUMBER: _ClassVar[int]
        SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
        id: int
        subscribe: SubscribeRequest
        def __init__(self, id: _Optional[int] = ..., subscribe: _Optional[_Union[SubscribeRequest, _Mapping]] = ...) -> None: ...
    class Keys(_message.Message):
        __slots__ = ("id", "add", "remove")
        ID_FIELD_NUMBER: _ClassVar[int]
        ADD_FIELD_NUMBER: _ClassVar[int]
        REMOVE_FIELD_NUMBER: _ClassVar[int]
        id: int
        add: _containers.RepeatedScalarFieldContainer[bytes]
        remove: _containers.RepeatedScalarFieldContainer[bytes]
        def __init__(self, id: _Optional[int] = ..., add: _Optional[_Iterable[bytes]] = ..., remove: _Optional[_Iterable[bytes]] = ...) -> None: ...
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    UNWATCH_FIELD_NUMBER: _ClassVar[int]
    request: int
    watch: SessionRequest.Watch
    keys: SessionRequest.Keys
    unwatch: int
    def __init__(self, request: _Optional[int] = ..., watch: _Optional[_Union[SessionRequest.Watch, _Mapping]] = ..., keys: _Optional[_Union[SessionRequest.Keys, _Mapping]] = ..., unwatch: _Optional[int] = ...) -> None: ...

class SessionResponse(_message.Message):
    __slots__ = ("updates", "drain")
    class Update(_message.Message):
        __slots__ = ("id", "response", "keys_applied", "failure")
        ID_FIELD_NUMBER: _ClassVar[int]
        RESPONSE_FIELD_NUMBER: _ClassVar[int]
        KEYS_APPLIED_FIELD_NUMBER: _ClassVar[int]
        FAILURE_FIELD_NUMBER: _ClassVar[int]
        id: int
        response: SubscribeResponse
        keys_applied: int
        failure: Failure
        def __init__(self, id: _Optional[int] = ..., response: _Optional[_Union[SubscribeResponse, _Mapping]] = ..., keys_applied: _Optional[int] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[SessionResponse.Update]
    drain: Drain
    def __init__(self, updates: _Optional[_Iterable[_Union[SessionResponse.Update, _Mapping]]] = ..., drain: _Optional[_Union[Drain, _Mapping]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("view", "keys", "min_position")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    view: str
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    min_position: Position
    def __init__(self, view: _Optional[str] = ..., keys: _Optional[_Iterable[bytes]] = ..., min_position: _Optional[_Union[Position, _Mapping]] = ...) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("entries", "position", "watermark")
    class Entry(_message.Message):
        __slots__ = ("row", "finality")
        ROW_FIELD_NUMBER: _ClassVar[int]
        FINALITY_FIELD_NUMBER: _ClassVar[int]
        row: bytes
        finality: Finality
        def __init__(self, row: _Optional[bytes] = ..., finality: _Optional[_Union[Finality, str]] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[GetResponse.Entry]
    position: Position
    watermark: _timestamp_pb2.Timestamp
    def __init__(self, entries: _Optional[_Iterable[_Union[GetResponse.Entry, _Mapping]]] = ..., position: _Optional[_Union[Position, _Mapping]] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ScanRequest(_message.Message):
    __slots__ = ("view", "key_prefix", "where", "page_size", "page_token", "min_position")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    KEY_PREFIX_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    view: str
    key_prefix: bytes
    where: str
    page_size: int
    page_token: str
    min_position: Position
    def __init__(self, view: _Optional[str] = ..., key_prefix: _Optional[bytes] = ..., where: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., min_position: _Optional[_Union[Position, _Mapping]] = ...) -> None: ...

class ScanResponse(_message.Message):
    __slots__ = ("rows", "next_page_token", "position", "watermark", "finality")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    FINALITY_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedScalarFieldContainer[bytes]
    next_page_token: str
    position: Position
    watermark: _timestamp_pb2.Timestamp
    finality: _containers.RepeatedScalarFieldContainer[Finality]
    def __init__(self, rows: _Optional[_Iterable[bytes]] = ..., next_page_token: _Optional[str] = ..., position: _Optional[_Union[Position, _Mapping]] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finality: _Optional[_Iterable[_Union[Finality, str]]] = ...) -> None: ...

class ListViewsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListViewsResponse(_message.Message):
    __slots__ = ("views",)
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    views: _containers.RepeatedCompositeFieldContainer[ViewInfo]
    def __init__(self, views: _Optional[_Iterable[_Union[ViewInfo, _Mapping]]] = ...) -> None: ...

class DescribeViewRequest(_message.Message):
    __slots__ = ("view",)
    VIEW_FIELD_NUMBER: _ClassVar[int]
    view: str
    def __init__(self, view: _Optional[str] = ...) -> None: ...

class DescribeViewResponse(_message.Message):
    __slots__ = ("view", "descriptors")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    view: ViewInfo
    descriptors: _descriptor_pb2.FileDescriptorSet
    def __init__(self, view: _Optional[_Union[ViewInfo, _Mapping]] = ..., descriptors: _Optional[_Union[_descriptor_pb2.FileDescriptorSet, _Mapping]] = ...) -> None: ...

class ViewInfo(_message.Message):
    __slots__ = ("name", "definition", "key_columns", "pipeline", "version", "row_count_estimate", "position", "watermark", "event_time_column", "watermark_delay", "partitions")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    KEY_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_COLUMN_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_DELAY_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    definition: str
    key_columns: _containers.RepeatedScalarFieldContainer[str]
    pipeline: str
    version: int
    row_count_estimate: int
    position: Position
    watermark: _timestamp_pb2.Timestamp
    event_time_column: str
    watermark_delay: _duration_pb2.Duration
    partitions: _containers.RepeatedCompositeFieldContainer[PartitionWatermark]
    def __init__(self, name: _Optional[str] = ..., definition: _Optional[str] = ..., key_columns: _Optional[_Iterable[str]] = ..., pipeline: _Optional[str] = ..., version: _Optional[int] = ..., row_count_estimate: _Optional[int] = ..., position: _Optional[_Union[Position, _Mapping]] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_time_column: _Optional[str] = ..., watermark_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., partitions: _Optional[_Iterable[_Union[PartitionWatermark, _Mapping]]] = ...) -> None: ...

class PartitionWatermark(_message.Message):
    __slots__ = ("topic", "partition", "watermark", "state", "holds_back")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[PartitionWatermark.State]
        ACTIVE: _ClassVar[PartitionWatermark.State]
        IDLE: _ClassVar[PartitionWatermark.State]
        NO_EVENTS: _ClassVar[PartitionWatermark.State]
        ERROR: _ClassVar[PartitionWatermark.State]
        UNREAD: _ClassVar[PartitionWatermark.State]
        REPLAYING: _ClassVar[PartitionWatermark.State]
        AWAITING_SCHEMA: _ClassVar[PartitionWatermark.State]
    STATE_UNSPECIFIED: PartitionWatermark.State
    ACTIVE: PartitionWatermark.State
    IDLE: PartitionWatermark.State
    NO_EVENTS: PartitionWatermark.State
    ERROR: PartitionWatermark.State
    UNREAD: PartitionWatermark.State
    REPLAYING: PartitionWatermark.State
    AWAITING_SCHEMA: PartitionWatermark.State
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HOLDS_BACK_FIELD_NUMBER: _ClassVar[int]
    topic: str
    partition: int
    watermark: _timestamp_pb2.Timestamp
    state: PartitionWatermark.State
    holds_back: bool
    def __init__(self, topic: _Optional[str] = ..., partition: _Optional[int] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[PartitionWatermark.State, str]] = ..., holds_back: _Optional[bool] = ...) -> None: ...
