// Random commits, pauses, cuts, trims and restarts: whatever happens, a client
// at a position holds exactly what was true there.
#include <algorithm>
#include <array>
#include <iostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "gateway/core/client_model.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/subscription.h"
#include "gateway/core/testing.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int kSeeds = 300;
constexpr int kSteps = 250;
constexpr int kKeys = 120;

struct Totals {
  int64_t messages = 0, resumes = 0, mid_snapshot = 0, resets = 0, ends = 0;
  int64_t fragments = 0, ranges = 0, restarts = 0, trims = 0, checks = 0;
  // Rows held, by finality.
  std::array<int64_t, 4> finality{};
};

class World {
 public:
  explicit World(uint64_t seed)
      : random_(seed),
        windowed_(Chance(60)),
        store_(std::string(16, 'A'), windowed_ ? TestWindow() : WindowEnd()) {
    spec_ = windowed_ ? WindowedSpec() : TestSpec();
    if (Chance(40)) {
      spec_.filter.all_rows = false;
      for (int i = 0; i < kKeys; i += 3) {
        spec_.filter.keys.push_back(TestKey(Name(i)));
      }
    }
    client_.schema = spec_.schema;
    if (windowed_) client_.window_column = kTestWindowColumn;
  }

  void Run(Totals* totals) {
    Connect(totals);
    for (int i = 0; i < kSteps && client_.violation.empty(); ++i) {
      Turn(totals);
    }
    // Twice, so that progress is due after whatever came last.
    for (int round = 0; round < 2; ++round) {
      now_ = ProcessingTime(now_.value() + 2'000'000);
      while (client_.violation.empty() && Send(totals)) {
      }
    }
    if (client_.position != store_.head()) client_.Fail("not at the head");
    Check(totals);
    totals->messages += client_.messages;
    totals->resets += client_.resets;
    totals->ends += client_.ends;
    totals->fragments += client_.fragments;
    totals->ranges += client_.multi_commit_ranges;
    // Each snapshot ends once: the first, and one for each reset, but for those
    // that a reset or the loss of the token cut short.
    if (client_.ends > client_.resets + fresh_starts_) {
      client_.Fail("more ends than snapshots");
    }
  }
  const std::string& violation() const { return client_.violation; }

 private:
  bool Chance(int percent) { return Below(100) < percent; }
  int Below(int n) {
    return std::uniform_int_distribution<int>(0, n - 1)(random_);
  }
  static std::string Name(int i) { return absl::StrCat("k", 1000 + i); }
  // A key's window is always the same: it is part of what a key is. The windows
  // close one by one as the commits go.
  std::string RowOf(int i, const std::string& value) const {
    return windowed_ ? WindowedRow(Name(i), value, i) : TestRow(Name(i), value);
  }

  void Turn(Totals* totals) {
    now_ =
        ProcessingTime(now_.value() + Below(Chance(3) ? 40'000'000 : 300'000));
    const int what = Below(100);
    if (what < 35) {
      Commit();
    } else if (what < 85) {
      Send(totals);
    } else if (what < 91) {
      store_.MoveBase();
    } else if (what < 93) {
      ++totals->trims;
      const uint64_t head = store_.head().value();
      store_.Trim(Seq(head - std::min<uint64_t>(head, Below(12))));
    } else if (what < 98) {
      Connect(totals);
    } else {
      ++totals->restarts;
      store_.Restart(absl::StrCat("incarnation-", 1000 + totals->restarts),
                     Below(6));
      Connect(totals);
    }
  }

  void Commit() {
    FakeStore::Batch batch;
    const bool large = Chance(6);
    const int changes = large ? kKeys : Below(6);
    for (int i = 0; i < changes; ++i) {
      const int key = Below(kKeys);
      std::optional<std::string>& row = batch[{kTestView, TestKey(Name(key))}];
      if (!Chance(35)) {
        row = RowOf(
            key, absl::StrCat(std::string(large ? 2500 : 30, 'x'), random_()));
      }
    }
    store_.Commit(batch, now_);
  }

  void Connect(Totals* totals) {
    if (Chance(3)) client_.token.clear();
    if (client_.token.empty()) {
      client_.rows.clear();
      client_.finality.clear();
      client_.position.reset();
      client_.watermark = -1;
      ++fresh_starts_;
    } else {
      ++totals->resumes;
      if (!client_.position) ++totals->mid_snapshot;
    }
    client_.Disconnected();
    auto made = Subscription::Create(spec_, &store_, client_.token);
    if (!made.ok()) return client_.Fail(made.status().ToString());
    subscription_ = *std::move(made);
  }

  bool Send(Totals* totals) {
    Message message;
    const auto sent = subscription_->Next(now_, &message);
    if (!sent.ok()) client_.Fail(sent.status().ToString());
    if (!sent.ok() || !*sent) return false;
    client_.Apply(message.Flat());
    CheckFinalIsFinal();
    Check(totals);
    return true;
  }

  // Also within a snapshot: what has been called final is still there, gone, or
  // marked as corrected.
  void CheckFinalIsFinal() {
    const auto now = store_.At(store_.head());
    const ModelRows& rows = now->Rows(kTestView);
    for (const auto& [key, finality] : client_.finality) {
      if (finality != Finality::kFinal) continue;
      const auto at = rows.find(key);
      if (at == rows.end() || at->second == client_.rows[key]) continue;
      if (!now->Corrected(kTestView, key)) client_.Fail("final, but changed");
    }
  }

  void Check(Totals* totals) {
    if (!client_.position || client_.in_fragments) return;
    ++totals->checks;
    const auto view = store_.At(*client_.position);
    ModelRows expected;
    for (const auto& [key, row] : view->Rows(kTestView)) {
      if (spec_.filter.all_rows ||
          std::find(spec_.filter.keys.begin(), spec_.filter.keys.end(), key) !=
              spec_.filter.keys.end()) {
        expected[key] = row;
      }
    }
    if (client_.rows != expected) {
      client_.Fail(absl::StrCat("rows differ from the model at ",
                                client_.position->value()));
    }
    for (const auto& [key, row] : expected) CheckFinality(*view, key, totals);
  }

  // What a client takes for provisional may have become final in silence, as
  // the watermark passed; it is never corrected.
  void CheckFinality(const FakeReadView& view, const std::string& key,
                     Totals* totals) {
    const Finality held = client_.finality[key];
    ++totals->finality[static_cast<size_t>(held)];
    if (!windowed_) return;
    const bool corrected = view.Corrected(kTestView, key);
    if ((held == Finality::kCorrected) != corrected) {
      client_.Fail(absl::StrCat("key held as ", static_cast<int>(held),
                                ", corrected in the model: ", corrected));
    }
  }

  std::mt19937_64 random_;
  const bool windowed_;
  FakeStore store_;
  SubscriptionSpec spec_;
  std::unique_ptr<Subscription> subscription_;
  ClientModel client_;
  int fresh_starts_ = 0;
  ProcessingTime now_{1'000'000'000};
};

TEST(SubscriptionPropertyTest, AClientHoldsWhatWasTrueAtItsPosition) {
  Totals totals;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    world.Run(&totals);
    ASSERT_EQ(world.violation(), "") << "seed " << seed;
  }
  std::cout << "seeds=" << kSeeds << " messages=" << totals.messages
            << " checks=" << totals.checks << " resumes=" << totals.resumes
            << " mid_snapshot=" << totals.mid_snapshot
            << " resets=" << totals.resets << " ends=" << totals.ends
            << " fragments=" << totals.fragments
            << " multi_commit_ranges=" << totals.ranges
            << " restarts=" << totals.restarts << " trims=" << totals.trims
            << " provisional=" << totals.finality[1]
            << " final=" << totals.finality[2]
            << " corrected=" << totals.finality[3] << "\n";
  for (int64_t count : {totals.resumes, totals.mid_snapshot, totals.resets,
                        totals.fragments, totals.ranges, totals.restarts}) {
    EXPECT_GT(count, 0);
  }
  for (const int64_t count : totals.finality) EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace tidegate
