#include "ingest/loop/event_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/decode/convert.h"
#include "ingest/registry/framing.h"

namespace tidegate {
namespace {

bool HasRegistry(const SourcePlan& source) {
  return std::any_of(source.encodings.begin(), source.encodings.end(),
                     [](const Encoding& encoding) {
                       return !encoding.schema_registry.empty();
                     });
}

// Why a table's record is a bad one; if its key has a frame, that first: it is
// what is wrong.
absl::Status BadKey(const absl::Status& why, absl::string_view key) {
  Frame frame;
  if (!ParseFrame(key, &frame).ok()) return why;
  return Annotate(
      why, absl::StrCat("the key is framed for a schema registry (schema ",
                        frame.schema_id, "), and only values may be"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventReader>> EventReader::Create(
    const SourcePlan* source, const std::vector<bool>& used,
    const std::string& base_dir, SchemaRegistries* registries,
    std::function<void()> wake) {
  auto reader = std::unique_ptr<EventReader>(new EventReader(source));
  // Of the value; the others are ReadIncluded()'s.
  std::vector<bool> fields = used;
  for (size_t i = source->value_columns(); i < fields.size(); ++i) {
    fields[i] = false;
  }
  std::unique_ptr<FramedDecoder> framed;
  if (HasRegistry(*source)) {
    ASSIGN_OR_RETURN(framed, FramedDecoder::Create(*source, fields, registries,
                                                   std::move(wake)));
    reader->framed_ = framed.get();
  }
  ASSIGN_OR_RETURN(reader->value_,
                   MakeDecoder(*source, fields, base_dir, std::move(framed)));
  if (source->is_table) {
    ASSIGN_OR_RETURN(reader->key_, MakeKeyDecoder(*source));
    reader->key_row_.resize(source->columns.size());
  }
  reader->row_.resize(source->columns.size());
  for (size_t i = 0; i < source->included.size(); ++i) {
    const size_t column = source->value_columns() + i;
    if (!used[column]) continue;
    const Included& included = source->included[i];
    reader->included_.push_back(
        {static_cast<int>(column), included.what, included.header});
  }
  return reader;
}

absl::Status EventReader::Read(const RawRecord& record, Event* event) {
  event->deleted = false;
  if (source_.is_table) {
    RETURN_IF_ERROR(ReadTableRow(record, event));
  } else if (!record.has_value) {
    return absl::InvalidArgumentError("the record has no value");
  } else {
    RETURN_IF_ERROR(value_->Decode(record.value, absl::MakeSpan(row_)));
    RETURN_IF_ERROR(ReadIncluded(record));
    event->columns = row_;
  }
  event->order.time = EventTime(record.timestamp_ms * 1000);
  event->no_event_time = false;
  event->replay = nullptr;
  if (source_.watermark.has_value()) {
    const Datum& time = event->columns[source_.watermark->column];
    // A tombstone has nothing but its key.
    event->no_event_time = time.is_null && !event->deleted;
    if (!time.is_null) event->order.time = EventTime(time.i);
  }
  event->order.partition = record.partition;
  event->order.offset = record.offset;
  return absl::OkStatus();
}

absl::Status EventReader::ReadIncluded(const RawRecord& record) {
  for (const Wanted& wanted : included_) {
    RETURN_IF_ERROR(ReadOne(wanted, record, &row_[wanted.column]));
  }
  return absl::OkStatus();
}

absl::Status EventReader::ReadOne(const Wanted& wanted, const RawRecord& record,
                                  Datum* datum) const {
  const Column& column = source_.columns[wanted.column];
  switch (wanted.what) {
    case Metadata::kKey:
      if (record.has_key) return ParseText(column, record.key, datum);
      *datum = Datum::Null();
      return absl::OkStatus();
    case Metadata::kHeader: {
      HeaderView::Value value;
      if (record.headers.Last(wanted.header, &value) && value.has_value()) {
        return ParseText(column, *value, datum);
      }
      *datum = Datum::Null();
      return absl::OkStatus();
    }
    case Metadata::kTimestamp: {
      int64_t micros = 0;
      if (!MillisToMicros(record.timestamp_ms, &micros)) {
        return WrongValue(column, absl::StrCat("number ", record.timestamp_ms,
                                               " (out of range)"));
      }
      *datum = Datum::Int(micros);
      return absl::OkStatus();
    }
    case Metadata::kPartition:
    case Metadata::kOffset: {
      ASSIGN_OR_RETURN(const RecordPlace place, FirstPlace(record));
      *datum = Datum::Int(wanted.what == Metadata::kOffset
                              ? place.offset.value()
                              : place.partition.value());
      return absl::OkStatus();
    }
  }
  return absl::InternalError("unknown metadata");
}

absl::Status EventReader::ReadTableRow(const RawRecord& record, Event* event) {
  if (!record.has_key) {
    return absl::InvalidArgumentError(
        "the record of a table has no key: it must be the primary key");
  }
  const absl::Status key = key_->Decode(record.key, absl::MakeSpan(key_row_));
  if (!key.ok()) return BadKey(Annotate(key, "key"), record.key);
  for (const int column : source_.primary_key) {
    if (key_row_[column].is_null) {
      return absl::InvalidArgumentError(
          absl::StrCat("the key is NULL in primary key column \"",
                       source_.columns[column].name, "\""));
    }
  }
  if (!record.has_value) {
    event->deleted = true;
    event->columns = key_row_;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(value_->Decode(record.value, absl::MakeSpan(row_)));
  RETURN_IF_ERROR(ReadIncluded(record));
  for (const int column : source_.primary_key) {
    if (row_[column].is_null ||
        CompareDatum(source_.columns[column].type, row_[column],
                     key_row_[column]) != 0) {
      return BadKey(absl::InvalidArgumentError(absl::StrCat(
                        "the value disagrees with the record's key in primary "
                        "key column \"",
                        source_.columns[column].name, "\"")),
                    record.key);
    }
  }
  event->columns = row_;
  return absl::OkStatus();
}

}  // namespace tidegate
