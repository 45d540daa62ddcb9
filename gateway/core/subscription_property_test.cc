// Random filters, commits, pauses, cuts, trims and restarts: whatever happens,
// a client at a position holds exactly what was true there of what it asked
// for.
#include <algorithm>
#include <array>
#include <iostream>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/core/client_model.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/subscription.h"
#include "gateway/core/testing.h"
#include "gtest/gtest.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

// A seed takes a fifth of a second and more under a sanitizer.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kSeeds = 40;
#else
constexpr int kSeeds = 200;
#endif
constexpr int kSteps = 250;
constexpr int kKeys = 120;
constexpr int64_t kMinIntervalMs = 400;
constexpr int kBurst = 300;  // commits: enough to catch up by state
// About half of the rows; MatchesWhere says the same.
constexpr char kWhere[] =
    "v LIKE '%0' OR v LIKE '%2' OR v LIKE '%4' OR v LIKE '%6' OR v LIKE '%8'";

struct Totals {
  int64_t messages = 0, resumes = 0, mid_snapshot = 0, resets = 0, ends = 0;
  int64_t fragments = 0, ranges = 0, restarts = 0, trims = 0, checks = 0;
  int64_t lefts = 0, by_state = 0, kept = 0, withheld = 0, skips = 0;
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
      const int every = Chance(50) ? 3 : 17;
      for (int i = 0; i < kKeys; i += every) {
        spec_.filter.keys.push_back(TestKey(Name(i)));
      }
    } else if (Chance(40)) {
      prefix_ = Chance(50) ? "k10" : "k110";
      const std::string key = TestKey(prefix_);
      spec_.filter.prefix = key.substr(0, key.find(prefix_) + prefix_.size());
    }
    has_where_ = Chance(50);
    if (has_where_) {
      spec_.filter.where = RowFilter::Compile(kWhere, *spec_.schema).value();
    }
    if (Chance(30)) spec_.min_interval_ms = kMinIntervalMs;
    bursts_ = Chance(40);
    shares_ = Chance(60);
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
      while (client_.violation.empty() &&
             (Send(totals) || subscription_->behind())) {
      }
    }
    if (client_.position != store_.head()) client_.Fail("not at the head");
    Check(totals);
    totals->messages += client_.messages;
    totals->resets += client_.resets;
    totals->ends += client_.ends;
    totals->fragments += client_.fragments;
    totals->ranges += client_.multi_commit_ranges;
    totals->lefts += client_.lefts;
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
    if (bursts_ && Below(150) == 0) {
      for (int i = 0; i < kBurst; ++i) Commit(/*large=*/false, totals);
    } else if (what < 35) {
      Commit(/*large=*/Chance(6), totals);
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
      Disconnect();
      ranges_ = std::make_unique<RangeCache>();  // a new process
      store_.Restart(absl::StrCat("incarnation-", 1000 + totals->restarts),
                     Below(6));
      Connect(totals);
    }
  }

  // What a row of this key must be like for the client to have it: said here
  // again, without the code under test.
  bool Wanted(const std::string& key, const std::string& row) const {
    std::vector<Datum> columns(spec_.schema->fields.size());
    EXPECT_TRUE(DecodeRow(*spec_.schema, row, absl::MakeSpan(columns)).ok());
    const int last_digit = columns[1].text().back() - '0';
    return InScope(key, columns[0].text()) &&
           (!has_where_ || last_digit % 2 == 0);
  }
  bool InScope(const std::string& key, absl::string_view name) const {
    if (spec_.filter.all_rows) return absl::StartsWith(name, prefix_);
    return std::find(spec_.filter.keys.begin(), spec_.filter.keys.end(), key) !=
           spec_.filter.keys.end();
  }

  void Commit(bool large, Totals* totals) {
    FakeStore::Batch batch;
    bool concerns = false;
    const int changes = large ? kKeys : Below(6);
    for (int i = 0; i < changes; ++i) {
      const int key = Below(kKeys);
      std::optional<std::string>& row = batch[{kTestView, TestKey(Name(key))}];
      concerns = concerns || InScope(TestKey(Name(key)), Name(key));
      if (!Chance(35)) {
        row = RowOf(
            key, absl::StrCat(std::string(large ? 2500 : 30, 'x'), random_()));
      }
    }
    const Seq before = store_.head();
    store_.Commit(batch, now_);
    if (concerns || !Chance(50) || !subscription_->settled() ||
        subscription_->scanned() != before) {
      return;
    }
    ++totals->skips;
    const EventTime watermark(static_cast<int64_t>(store_.head().value()));
    subscription_->SkipTo(store_.head(), watermark);
    plain_->SkipTo(store_.head(), watermark);
  }

  void Disconnect() {
    subscription_.reset();
    plain_.reset();
    other_.reset();
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
    Disconnect();
    subscription_ = Open(shares_ ? ranges_.get() : nullptr, client_.token);
    plain_ = Open(nullptr, client_.token);
    if (shares_) other_ = Open(ranges_.get(), client_.token);
  }

  std::unique_ptr<Subscription> Open(RangeCache* ranges,
                                     const std::string& token) {
    SubscriptionSpec spec = spec_;
    spec.ranges = ranges;
    auto made = Subscription::Create(spec, &store_, token);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  std::optional<std::string> Next(Subscription* subscription) {
    Message message;
    const auto sent = subscription->Next(now_, &message);
    if (!sent.ok()) client_.Fail(sent.status().ToString());
    if (!sent.ok() || !*sent) {
      if (!message.empty()) client_.Fail("bytes, but no message");
      return std::nullopt;
    }
    if (subscription == other_.get()) {
      of_other_ = message.shared;
    } else if (message.shared != nullptr && message.shared == of_other_) {
      ++kept_;
    }
    return message.Flat();
  }

  bool Send(Totals* totals) {
    // Another of the same filter reads ahead, or lags.
    for (int i = Below(3); other_ != nullptr && i > 0; --i) Next(other_.get());
    const bool at_head = subscription_->state() == SubscriberState::kLive &&
                         !subscription_->mid_range();
    const bool far = FarBehind();
    const std::optional<std::string> message = Next(subscription_.get());
    if (message != Next(plain_.get())) client_.Fail("the cache changed bytes");
    totals->kept += std::exchange(kept_, 0);
    if (subscription_->due() <= now_ && !message && !subscription_->behind()) {
      client_.Fail("nothing, although it is due");
    }
    if (!message) {
      if (spec_.min_interval_ms > 0 && subscription_->scanned() < store_.head())
        ++totals->withheld;
      return false;
    }
    if (far && subscription_->scanned() == store_.head()) ++totals->by_state;
    if (at_head && spec_.min_interval_ms > 0 &&
        now_.value() - last_sent_.value() < spec_.min_interval_ms * 1000) {
      client_.Fail("sooner than min_interval");
    }
    last_sent_ = now_;
    client_.Apply(*message);
    CheckFinalIsFinal();
    Check(totals);
    return true;
  }

  bool FarBehind() const {
    return !spec_.filter.all_rows && client_.position &&
           !subscription_->mid_range() && subscription_->behind() &&
           store_.head().value() >
               subscription_->scanned().value() + kStateCatchUpCommits;
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
      if (Wanted(key, row)) expected[key] = row;
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
  std::string prefix_;  // of the text of the key
  bool has_where_ = false;
  bool bursts_ = false;
  bool shares_ = false;
  std::unique_ptr<RangeCache> ranges_ = std::make_unique<RangeCache>();
  std::unique_ptr<Subscription> subscription_;
  std::unique_ptr<Subscription> plain_;  // the same without a cache
  std::unique_ptr<Subscription> other_;  // shares the cache
  ProcessingTime last_sent_;
  SharedBytes of_other_;  // what that has last got
  int64_t kept_ = 0;
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
            << " lefts=" << totals.lefts << " by_state=" << totals.by_state
            << " kept=" << totals.kept << " withheld=" << totals.withheld
            << " skips=" << totals.skips
            << " provisional=" << totals.finality[1]
            << " final=" << totals.finality[2]
            << " corrected=" << totals.finality[3] << "\n";
  for (int64_t count :
       {totals.resumes, totals.mid_snapshot, totals.resets, totals.fragments,
        totals.ranges, totals.restarts, totals.lefts, totals.by_state,
        totals.kept, totals.withheld, totals.skips}) {
    EXPECT_GT(count, 0);
  }
  for (const int64_t count : totals.finality) EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace tidegate
