#include "gateway/core/waiting_reads.h"

#include "absl/strings/str_cat.h"

namespace tidegate {

void WaitingReads::Add(const ServedPipeline* pipeline, Seq seq,
                       ProcessingTime deadline, Done done) {
  if (pipeline->store().head() >= seq) return done(absl::OkStatus());
  if (count_ >= limit_) {
    return done(absl::ResourceExhaustedError(
        absl::StrCat("too many reads wait for min_position: ", count_)));
  }
  const Place place(seq, ++last_id_);
  reads_[pipeline].emplace(place, Read{deadline, std::move(done)});
  deadlines_.insert({deadline, {pipeline, place}});
  ++count_;
}

// The entry is gone before `done` runs, which may add another.
void WaitingReads::Finish(Reads* reads, Reads::iterator at,
                          const absl::Status& status) {
  const Done done = std::move(at->second.done);
  reads->erase(at);
  --count_;
  done(status);
}

void WaitingReads::Turn(ProcessingTime now) {
  if (count_ == 0) return;
  for (auto& [pipeline, reads] : reads_) {
    const Seq head = pipeline->store().head();
    while (!reads.empty() && reads.begin()->first.first <= head) {
      const auto at = reads.begin();
      deadlines_.erase({at->second.deadline, {pipeline, at->first}});
      Finish(&reads, at, absl::OkStatus());
    }
  }
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto [pipeline, place] = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    Reads& reads = reads_[pipeline];
    Finish(&reads, reads.find(place),
           absl::DeadlineExceededError(absl::StrCat(
               "min_position not reached: waited for ", place.first.value(),
               ", view is at ", pipeline->store().head().value())));
  }
}

void WaitingReads::FailAll(const absl::Status& status) {
  deadlines_.clear();
  for (auto& [pipeline, reads] : reads_) {
    while (!reads.empty()) Finish(&reads, reads.begin(), status);
  }
}

ProcessingTime WaitingReads::next(ProcessingTime never) const {
  return deadlines_.empty() ? never : deadlines_.begin()->first;
}

}  // namespace tidegate
