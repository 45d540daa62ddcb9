#include "loadtest/swarm/setup.h"

#include <google/protobuf/descriptor.pb.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "clients/cpp/dynamic_rows.h"
#include "clients/cpp/view_client.h"

namespace tidegate::swarm {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;

constexpr int64_t kTimeoutMs = 30'000;

// The message whose rows the server sends: the only one named <View>Row.
absl::StatusOr<DescriptorProto> RowMessage(const std::string& descriptors) {
  google::protobuf::FileDescriptorSet set;
  if (!set.ParseFromString(descriptors)) {
    return absl::DataLossError("descriptors that cannot be read");
  }
  for (const auto& file : set.file()) {
    if (absl::StartsWith(file.package(), "google.")) continue;
    for (const DescriptorProto& message : file.message_type()) {
      if (absl::EndsWith(message.name(), "Row")) return message;
    }
  }
  return absl::DataLossError("the descriptors have no row");
}

absl::StatusOr<LatencySource> FindColumn(const std::string& descriptors,
                                         const std::string& column) {
  ASSIGN_OR_RETURN(const DescriptorProto row, RowMessage(descriptors));
  for (const FieldDescriptorProto& field : row.field()) {
    if (field.name() != column) continue;
    LatencySource source;
    source.kind = LatencySource::Kind::kColumn;
    source.field = static_cast<uint32_t>(field.number());
    source.is_timestamp = field.type_name() == ".google.protobuf.Timestamp";
    if (source.is_timestamp ||
        field.type() == FieldDescriptorProto::TYPE_INT64) {
      return source;
    }
    return absl::InvalidArgumentError(
        absl::StrCat("column \"", column, "\" of ", row.name(),
                     " is neither BIGINT nor TIMESTAMPTZ"));
  }
  return absl::NotFoundError(absl::StrCat(row.name(), " has no column \"",
                                          column, "\"; --latency also takes ",
                                          "committed_at and sent_at"));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadKeyTexts(const std::string& keys) {
  std::vector<std::string> texts;
  const std::pair<std::string, std::string> ends =
      absl::StrSplit(keys, absl::MaxSplits("..", 1));
  int64_t first = 0;
  int64_t last = 0;
  if (absl::SimpleAtoi(ends.first, &first) &&
      absl::SimpleAtoi(ends.second, &last)) {
    if (last < first || last - first >= kMaxKeys) {
      return absl::InvalidArgumentError(
          absl::StrCat("not a range of 1 to ", kMaxKeys, " keys: ", keys));
    }
    for (; first <= last; ++first) texts.push_back(absl::StrCat(first));
    return texts;
  }
  std::ifstream file(keys);
  if (!file) {
    return absl::NotFoundError(
        absl::StrCat("neither FIRST..LAST nor a file: \"", keys, "\""));
  }
  std::string line;
  while (std::getline(file, line)) {
    if (!line.empty()) texts.push_back(line);
  }
  if (texts.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no keys in ", keys));
  }
  return texts;
}

absl::StatusOr<ViewSetup> DescribeView(const std::string& server,
                                       const std::string& view,
                                       const std::vector<std::string>& keys,
                                       const std::string& latency) {
  const std::unique_ptr<client::ViewClient> client =
      client::ViewClient::Create(server, kTimeoutMs);
  ASSIGN_OR_RETURN(const client::ViewDescription description,
                   client->Describe(view));
  ViewSetup setup;
  if (latency == "sent_at") {
    setup.latency.kind = LatencySource::Kind::kSent;
  } else if (latency != "committed_at") {
    ASSIGN_OR_RETURN(setup.latency,
                     FindColumn(description.descriptors, latency));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<client::DynamicRows> rows,
                   client::DynamicRows::Create(view, description.key_columns,
                                               description.descriptors));
  ASSIGN_OR_RETURN(const DescriptorProto row,
                   RowMessage(description.descriptors));
  for (const std::string& column : description.key_columns) {
    for (const FieldDescriptorProto& field : row.field()) {
      if (field.name() != column) continue;
      setup.key_fields.push_back(static_cast<uint32_t>(field.number()));
    }
  }
  setup.keys.reserve(keys.size());
  for (const std::string& text : keys) {
    ASSIGN_OR_RETURN(std::string key, rows->ParseKey(text));
    setup.keys.push_back(std::move(key));
  }
  return setup;
}

absl::StatusOr<uint64_t> HeadOf(const std::string& server,
                                const std::string& view) {
  ASSIGN_OR_RETURN(
      const client::ViewDescription description,
      client::ViewClient::Create(server, kTimeoutMs)->Describe(view));
  const auto found = description.position.seqs.find(0);
  return found == description.position.seqs.end() ? 0 : found->second;
}

}  // namespace tidegate::swarm
