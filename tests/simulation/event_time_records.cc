#include "tests/simulation/event_time_records.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/timestamp.h"
#include "tests/simulation/event_time_grammar.h"

namespace tidegate::simulation {
namespace {

constexpr uint64_t kBadOneIn = 20;
constexpr uint64_t kFutureOneIn = 30;
constexpr uint64_t kNullOneIn = 7;
constexpr uint64_t kNoTimeOneIn = 20;
constexpr uint64_t kTombstoneOneIn = 6;
constexpr uint64_t kDuplicateOneIn = 15;
constexpr int64_t kHourUs = 3'600'000'000;

std::string JsonText(ValueType type, const Value& value) {
  if (IsNull(value)) return "null";
  if (type == ValueType::kTimestamp) {
    return absl::StrCat("\"", FormatTimestamp(std::get<int64_t>(value)), "\"");
  }
  if (type == ValueType::kVarchar) {
    return absl::StrCat("\"", std::get<std::string>(value), "\"");
  }
  return ValueText(value);
}

std::string ToJson(const SimSource& source, const SimRecord& record) {
  std::vector<std::string> members;
  for (size_t i = 0; i < source.columns.size(); ++i) {
    members.push_back(absl::StrCat(
        "\"", source.columns[i].name,
        "\":", JsonText(source.columns[i].type, record.columns[i])));
  }
  return absl::StrCat("{", absl::StrJoin(members, ","), "}");
}

}  // namespace

std::map<std::string, std::vector<int64_t>> ReadReplayTarget(
    const std::string& text) {
  std::map<std::string, std::vector<int64_t>> target;
  if (text.empty()) return target;
  for (const absl::string_view view : absl::StrSplit(text, ',')) {
    const std::vector<std::string> parts = absl::StrSplit(view, '@');
    std::vector<int64_t>& starts = target[parts[0]];
    if (parts.size() < 2) continue;
    const std::vector<std::string> texts = absl::StrSplit(parts[1], '/');
    for (const std::string& start : texts) starts.push_back(std::stoll(start));
  }
  return target;
}

RecordMaker::RecordMaker(const SimWorld* world, EventTraits traits,
                         std::mt19937_64* random, FakeKafka* kafka)
    : world_(*world), traits_(traits), random_(*random), kafka_(kafka) {
  least_bound_us_ = world_.sources[0].bound_us;
  for (const SimSource& source : world_.sources) {
    least_bound_us_ = std::min(least_bound_us_, source.bound_us);
    kafka_->CreateTopic(source.name, source.partitions, source.is_table);
    partitions_.push_back(source.partitions);
    producible_.push_back(source.partitions);
  }
}

int64_t RecordMaker::end(int source, int partition) const {
  const auto above = records_.lower_bound(Place(source, partition + 1, 0));
  if (above == records_.begin()) return 0;
  const SimRecord& last = std::prev(above)->second;
  if (last.source != source || last.partition != partition) return 0;
  return last.offset + 1;
}

void RecordMaker::AddPartition(int source) {
  kafka_->AddPartitions(world_.sources[source].name, 1);
  ++partitions_[source];
}

Value RecordMaker::RandomValue(ValueType type, int64_t event_now_us) {
  if (OneIn(kNullOneIn)) return Value();
  switch (type) {
    case ValueType::kBoolean:
      return Value(OneIn(2));
    case ValueType::kInt:
      return Value(static_cast<int64_t>(Below(7)) - 2);
    case ValueType::kBigint:
      return Value(static_cast<int64_t>(Below(24)) - 4);
    case ValueType::kDouble:  // exact in binary, and so are their sums
      return Value((static_cast<double>(Below(80)) - 39) / 4);
    case ValueType::kVarchar:
      return Value(std::string(1, static_cast<char>('a' + Below(4))));
    case ValueType::kTimestamp:
      return Value(event_now_us -
                   static_cast<int64_t>(Below(20)) * kTimeGridUs);
  }
  return Value();
}

int64_t RecordMaker::RandomTime(const SimSource& source, int64_t now_us) {
  if (OneIn(kFutureOneIn)) {
    // Some of them the clock will reach, soon or just as they are read.
    const auto soon_ms = static_cast<int64_t>(Below(OneIn(4) ? 4'000 : 60));
    const bool reached = !traits_.orderly && OneIn(2);
    return now_us + source.max_future_skew_us +
           (reached ? soon_ms * 1000 : kHourUs);
  }
  const int64_t newest = (now_us - traits_.behind_us) / kTimeGridUs;
  const int64_t bound =
      (traits_.orderly ? least_bound_us_ : source.bound_us) / kTimeGridUs;
  uint64_t range = static_cast<uint64_t>(bound);
  if (!traits_.orderly && OneIn(source.is_table ? 2 : 5)) {
    range = range * 4 + 20;
  }
  return (newest - static_cast<int64_t>(Below(std::max<uint64_t>(1, range)))) *
         kTimeGridUs;
}

void RecordMaker::FillColumns(const SimSource& source, int64_t now_us,
                              SimRecord* record) {
  const int64_t event_now =
      (now_us - traits_.behind_us) / kTimeGridUs * kTimeGridUs;
  for (const SimColumn& column : source.columns) {
    record->columns.push_back(RandomValue(column.type, event_now));
  }
  Value& time = record->columns[source.time_column];
  time = Value(RandomTime(source, now_us));
  if (OneIn(kNoTimeOneIn)) time = Value();
  record->kafka_us = (now_us - traits_.behind_us) / 1000 * 1000;
}

// A value that cannot be decoded.
std::optional<std::string> RecordMaker::Spoil(const SimSource& source,
                                              const std::string& json) {
  switch (Below(3)) {
    case 0:
      // A table's record without a value deletes.
      if (!source.is_table) return std::nullopt;
      return "";
    case 1:
      return json.substr(0, json.size() / 2);
    default:
      return absl::StrCat("{\"", source.columns[source.time_column].name,
                          "\": true}");
  }
}

void RecordMaker::Append(SimRecord record, std::optional<std::string> key,
                         std::optional<std::string> value,
                         std::optional<std::string> replay_views) {
  const SimSource& source = world_.sources[record.source];
  record.offset =
      kafka_
          ->Produce(source.name, record.partition, record.kafka_us / 1000, key,
                    value, std::move(replay_views))
          .value();
  const Value& time = record.columns[source.time_column];
  record.has_event_time = !record.tombstone && !IsNull(time);
  record.time_us =
      record.has_event_time ? std::get<int64_t>(time) : record.kafka_us;
  const Place place(record.source, record.partition, record.offset);
  bytes_[place] = {std::move(key), std::move(value)};
  records_[place] = std::move(record);
}

void RecordMaker::Produce(int number, int64_t now_us) {
  if (!traits_.orderly && OneIn(kDuplicateOneIn) && Duplicate(number)) return;
  const SimSource& source = world_.sources[number];
  SimRecord record;
  record.source = number;
  record.partition = static_cast<int>(Below(producible_[number]));
  FillColumns(source, now_us, &record);
  std::optional<std::string> key;
  if (source.is_table) {
    Value& id = record.columns[source.key_column];
    while (IsNull(id)) {
      id = RandomValue(source.columns[source.key_column].type, now_us);
    }
    key = ValueText(id);
    // All records of a key are in one partition.
    record.partition =
        static_cast<int>(static_cast<unsigned char>(key->back())) %
        source.partitions;
  }
  std::optional<std::string> value = ToJson(source, record);
  if (OneIn(kBadOneIn)) {
    record.undecodable = true;
    value = Spoil(source, *value);
  } else if (source.is_table && OneIn(kTombstoneOneIn)) {
    record.tombstone = true;
    value = std::nullopt;
  }
  Append(std::move(record), std::move(key), std::move(value), std::nullopt);
}

// The last record of a partition again, as a producer that retries sends it.
bool RecordMaker::Duplicate(int number) {
  const int partition = static_cast<int>(Below(producible_[number]));
  const int64_t last = end(number, partition) - 1;
  if (last < 0) return false;
  const Place place(number, partition, last);
  SimRecord record = records_.at(place);
  if (record.is_replay) return false;
  const auto [key, value] = bytes_.at(place);
  Append(std::move(record), key, value, std::nullopt);
  return true;
}

bool RecordMaker::Replay() {
  const std::vector<DeadLetter> letters = kafka_->dead_letters();
  if (letters.empty()) return false;
  const DeadLetter& letter = letters[Below(letters.size())];
  int source = 0;
  while (world_.sources[source].name != letter.source_topic) ++source;
  const Place origin(source, letter.partition.value(), letter.offset.value());
  SimRecord record = records_.at(origin);
  std::string views = letter.replay_views;
  if (OneIn(3) && !views.empty()) {
    const std::vector<std::string> each = absl::StrSplit(views, ',');
    views = each[Below(each.size())];
  }
  record.is_replay = true;
  record.replay = ReadReplayTarget(views);
  const auto [key, value] = bytes_.at(origin);
  Append(std::move(record), key, value, std::move(views));
  return true;
}

}  // namespace tidegate::simulation
