// What the streams of a swarm hold, written down at its end.
#include <algorithm>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "loadtest/swarm/swarm_impl.h"

namespace tidegate::swarm {
namespace {

std::string HexList(const std::vector<std::string>& all) {
  return absl::StrCat(
      "[",
      absl::StrJoin(all, ",",
                    [](std::string* out, const std::string& bytes) {
                      absl::StrAppend(out, "\"", absl::BytesToHexString(bytes),
                                      "\"");
                    }),
      "]");
}

}  // namespace

void SwarmImpl::KeepRows(size_t index) {
  HeldRows& rows = streams_[index].rows[response_.watch];
  if (response_.reset) rows.Clear();
  for (const RowChange& change : response_.changes) {
    if (!rows.Apply(change)) Violation(index, "row or key cannot be read");
  }
}

bool SwarmImpl::Settled() {
  if (settle_since_us_ == 0) {
    settle_since_us_ = now_us();
    measuring_ = false;
    const absl::StatusOr<uint64_t> head = options_.head();
    if (!head.ok()) {
      fatal_ = head.status();
      return true;
    }
    settle_position_ = *head;
    for (const Stream& stream : streams_) {
      settle_position_ = std::max(settle_position_, stream.track.position());
    }
  }
  const bool all = std::all_of(
      streams_.begin(), streams_.end(), [this](const Stream& stream) {
        return stream.track.live() && !stream.stalled &&
               stream.track.position() >= settle_position_;
      });
  if (all) return true;
  if (now_us() - settle_since_us_ < options_.settle_timeout_us) return false;
  fatal_ = absl::DeadlineExceededError(
      absl::StrCat("not every stream came to position ", settle_position_));
  return true;
}

absl::Status SwarmImpl::WriteState() const {
  // By the keys a watch has, then by what it holds: how many, and one of them.
  struct Held {
    int64_t streams = 0;
    const HeldRows* rows = nullptr;
  };
  std::map<std::vector<std::string>, std::map<uint64_t, Held>> all;
  for (size_t i = 0; i < streams_.size(); ++i) {
    const size_t watches = streams_[i].rows.size();
    const size_t keys =
        options_.keys.empty() ? 0 : options_.keys_per_stream / watches;
    size_t key = i * options_.keys_per_stream;
    for (const HeldRows& rows : streams_[i].rows) {
      std::vector<std::string> filter;
      for (size_t k = 0; k < keys; ++k) {
        filter.push_back(options_.keys[key++ % options_.keys.size()]);
      }
      std::sort(filter.begin(), filter.end());
      Held& held = all[std::move(filter)][rows.Hash()];
      ++held.streams;
      held.rows = &rows;
    }
  }
  std::ofstream file(options_.state_file, std::ios::trunc);
  for (const auto& [filter, states] : all) {
    for (const auto& [hash, held] : states) {
      file << "{\"filter\":" << HexList(filter)
           << ",\"streams\":" << held.streams
           << ",\"rows\":" << HexList(held.rows->Rows()) << "}\n";
    }
  }
  file.flush();
  if (!file) {
    return absl::UnavailableError(
        absl::StrCat("cannot write ", options_.state_file));
  }
  return absl::OkStatus();
}

}  // namespace tidegate::swarm
