#include "tests/simulation/event_time_simulation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tests/simulation/event_time_grammar.h"
#include "views/sql/compile.h"

namespace tidegate::simulation {
namespace {

constexpr int kStepsPerRun = 400;
constexpr int kMaxStepsPerLife = 300;
constexpr int kMaxTurnsToFinish = 5'000;
constexpr int64_t kDecadeUs = 315'360'000'000'000;
constexpr int64_t kSecondUs = 1'000'000;

SimWorld MakeWorld(uint64_t seed) {
  std::mt19937_64 random(seed * 7919);
  return RandomWorld(&random);
}

EventTraits MakeTraits(uint64_t seed) {
  EventTraits traits;
  traits.orderly = seed % 4 == 0;
  if (seed % 3 == 0) traits.behind_us = kDecadeUs;
  return traits;
}

}  // namespace

EventTimeSimulation::EventTimeSimulation(uint64_t seed, const Mutant* mutant,
                                         EventTimeCounts* counts)
    : random_(seed),
      mutant_(*mutant),
      counts_(counts),
      world_(MakeWorld(seed)),
      traits_(MakeTraits(seed)),
      kafka_(seed + 1),
      records_(&world_, traits_, &random_, &kafka_) {
  store_options_.checkpoint_bytes = 2 << 10;
  store_options_.checkpoint_age_ms = 2'000;
  store_options_.max_overlay_bytes = 8 << 10;
  store_options_.log_retention_ms = 3'000;
  store_options_.log_retention_bytes = 8 << 10;
  loop_options_.poll_timeout_ms = 0;
  loop_options_.metadata_interval_ms = 200;
  loop_options_.watermark_commit_interval_ms = OneIn(2) ? 0 : 700;
  static constexpr size_t kBufferBytes[] = {400, 2'000, 8'000, 1 << 20};
  loop_options_.reorder_buffer_bytes = kBufferBytes[Below(4)];
  loop_options_.policy = mutant_.loop;
  // Then commits come within a poll, and a release takes several.
  if (OneIn(3)) limits_.keys = 2 + Below(12);
}

EventTimeSimulation::~EventTimeSimulation() {
  for (const auto& subscriber : subscribers_) subscriber->Cut();
  loop_.reset();
  pipeline_.reset();
  store_.reset();
}

bool EventTimeSimulation::Dies(const std::string& step) {
  if (dead_) return true;
  if (steps_to_live_ == 0 || --steps_to_live_ > 0) return false;
  ++counts_->crashes[step];
  return dead_ = true;
}

absl::Status EventTimeSimulation::Compile() {
  CompileResult compiled = CompileViews(world_.sql);
  if (!compiled.ok()) {
    return absl::InvalidArgumentError(
        FormatDiagnostics("world.sql", world_.sql, compiled.diagnostics));
  }
  plans_ = std::move(compiled.plans);
  if (mutant_.alter) mutant_.alter(&plans_);
  catalog_ = MakeCatalog(plans_, "default", nullptr);
  for (uint64_t i = 0, n = 1 + Below(2); i < n; ++i) {
    const CatalogView& view = catalog_.views[Below(catalog_.views.size())];
    std::optional<SimWindowEnd> window;
    for (const SimView& known : world_.views) {
      if (known.name == view.name) window = WindowEndOf(known);
    }
    subscribers_.push_back(
        std::make_unique<SimulatedSubscriber>(&view, window, &states_));
  }
  return absl::OkStatus();
}

int64_t EventTimeSimulation::RandomTick() {
  const uint64_t choice = Below(20);
  const auto ms = static_cast<int64_t>(choice < 12   ? 1 + Below(60)
                                       : choice < 19 ? Below(900)
                                                     : Below(8'000));
  return ms * 1000;
}

void EventTimeSimulation::Produce() {
  for (uint64_t i = 0, n = 1 + Below(4); i < n; ++i) {
    const int source = static_cast<int>(Below(world_.sources.size()));
    if (!world_.IsRead(source)) continue;
    ++counts_->records;
    records_.Produce(source, clock_.now.value());
  }
  if (traits_.orderly || !OneIn(5)) return;
  if (records_.Replay()) ++counts_->replays;
}

void EventTimeSimulation::AddPartition() {
  const int source = static_cast<int>(Below(world_.sources.size()));
  if (world_.sources[source].is_table || records_.partitions(source) >= 4) {
    return;
  }
  records_.AddPartition(source);
  ++counts_->partitions_added;
  // Before the loop knows of it, its records may come too late.
  if (!traits_.orderly) {
    records_.set_producible(source, records_.partitions(source));
  }
}

// The broker goes away or comes back, wholly or in part, or grows.
void EventTimeSimulation::Disturb() {
  const int source = static_cast<int>(Below(world_.sources.size()));
  const int partition = static_cast<int>(Below(records_.partitions(source)));
  const std::string& topic = world_.sources[source].name;
  switch (Below(8)) {
    case 0:
      ++counts_->broker_away;
      return kafka_.SetAway(true);
    case 1:
    case 2:
      return kafka_.SetAway(false);
    case 3:
      ++counts_->letters_held;
      return kafka_.HoldAcknowledgements(true);
    case 4:
      return kafka_.HoldAcknowledgements(false);
    case 5:
      ++counts_->partitions_down;
      return kafka_.SetDown(topic, partition, true);
    case 6:
      return kafka_.SetDown(topic, partition, false);
    default:
      return AddPartition();
  }
}

absl::Status EventTimeSimulation::OpenLoop() {
  const DyingStore::Dies dies = [this](const std::string& step) {
    return Dies(step);
  };
  std::vector<std::string> topics;
  std::vector<int> sources;
  std::vector<bool> is_table;
  for (const Pipeline::Input& input : pipeline_->inputs()) {
    const SourcePlan& source = plans_.sources[input.source];
    topics.push_back(source.topic);
    is_table.push_back(source.is_table);
    int number = 0;
    while (world_.sources[number].name != source.topic) ++number;
    sources.push_back(number);
  }
  reader_ = std::make_unique<RecordingReader>(
      kafka_.NewReader(std::move(topics)), std::move(sources),
      std::move(is_table), &clock_, dies, &journal_);
  writer_ = std::make_unique<DyingWriter>(kafka_.NewWriter(), dies);
  spill_ = std::make_unique<DyingSpill>(dies, &counts_->spilled);
  FoldLoop::Parts parts;
  parts.plans = &plans_;
  parts.pipeline = pipeline_.get();
  parts.store = store_.get();
  parts.reader = reader_.get();
  parts.dead_letters = writer_.get();
  parts.spill = spill_.get();
  parts.clock = &clock_;
  loop_options_.max_poll_records = 1 + static_cast<int>(Below(8));
  loop_options_.max_commit_hold_ms = static_cast<int64_t>(Below(2) * Below(50));
  ASSIGN_OR_RETURN(loop_, FoldLoop::Create(parts, loop_options_));
  return loop_->Start();
}

absl::Status EventTimeSimulation::TryOpen() {
  steps_to_live_ =
      OneIn(4) ? 0 : static_cast<int64_t>(1 + Below(kMaxStepsPerLife));
  dead_ = false;
  dying_ = std::make_unique<RecordingStore>(
      &disk_, [this](const std::string& step) { return Dies(step); },
      &journal_);
  std::string incarnation = absl::StrCat("life ", ++lives_);
  incarnation.resize(kIncarnationBytes, '.');
  ASSIGN_OR_RETURN(
      store_, MaterializedStore::Open(dying_.get(), store_options_,
                                      mutant_.store, incarnation, clock_.now));
  RollBack(store_->head());
  journal_.emplace_back().kind = JournalEntry::Kind::kRestart;
  ASSIGN_OR_RETURN(pipeline_,
                   Pipeline::Create(&plans_, &catalog_, store_.get(), limits_));
  return OpenLoop();
}

absl::Status EventTimeSimulation::Open() {
  alive_ = true;
  const absl::Status status = TryOpen();
  // The broker is away: the process gives up and starts again later.
  if (absl::IsUnavailable(status) && !dead_) {
    ++counts_->vain_starts;
    return EndLife();
  }
  return Survive(status);
}

absl::Status EventTimeSimulation::Survive(const absl::Status& status) {
  return dead_ ? Crash() : status;
}

absl::Status EventTimeSimulation::Crash() {
  RETURN_IF_ERROR(EndLife());
  const bool machine = OneIn(2);
  ++(machine ? counts_->machine_crashes : counts_->process_crashes);
  disk_.Crash(machine ? CrashKind::kMachine : CrashKind::kProcess,
              Below(disk_.unsynced_records() + 1));
  return absl::OkStatus();
}

absl::Status EventTimeSimulation::EndLife() {
  if (!rolled_back_) RETURN_IF_ERROR(ComparePermitted());
  alive_ = false;
  for (const auto& subscriber : subscribers_) subscriber->Cut();
  loop_.reset();
  spill_.reset();
  writer_.reset();
  if (reader_ != nullptr) counts_->unread += reader_->unread();
  reader_.reset();
  pipeline_.reset();
  store_.reset();
  dying_.reset();
  return absl::OkStatus();
}

void EventTimeSimulation::RollBack(Seq head) {
  if (rolled_back_) return;
  size_t kept = journal_.size();
  while (kept > 0 && (journal_[kept - 1].kind != JournalEntry::Kind::kCommit ||
                      journal_[kept - 1].seq > head.value())) {
    --kept;
    if (journal_[kept].kind == JournalEntry::Kind::kCommit) {
      ++counts_->lost_commits;
    }
  }
  journal_.resize(kept);
  rolled_back_ = true;
}

absl::Status EventTimeSimulation::Turn() {
  rolled_back_ = false;
  const Seq before = store_->head();
  const absl::Status status = loop_->Turn().status();
  const auto commits =
      static_cast<int64_t>(store_->head().value() - before.value());
  counts_->commits += commits;
  if (commits > 1) ++counts_->split_turns;
  RETURN_IF_ERROR(Survive(status));
  if (!alive_ || !traits_.orderly) return absl::OkStatus();
  for (size_t s = 0; s < world_.sources.size(); ++s) {
    const int source = static_cast<int>(s);
    records_.set_producible(source, std::max(world_.sources[s].partitions,
                                             reader_->started(source)));
  }
  return absl::OkStatus();
}

absl::Status EventTimeSimulation::Checkpoint() {
  ++counts_->checkpoints;
  return Survive(store_->Checkpoint(clock_.now));
}

// A subscriber reads on, or its connection ends.
absl::Status EventTimeSimulation::Serve() {
  SimulatedSubscriber& subscriber = *subscribers_[Below(subscribers_.size())];
  switch (Below(8)) {
    case 0:
      subscriber.Cut();
      return absl::OkStatus();
    case 1:
      subscriber.Drain(clock_.now);
      return absl::OkStatus();
    default:
      return Survive(subscriber.Read(store_.get(), clock_.now, 1 + Below(5)));
  }
}

absl::Status EventTimeSimulation::LiveStep() {
  const uint64_t choice = Below(100);
  if (choice < 3) {
    ++counts_->crashes["between turns"];
    return Crash();
  }
  if (choice < 18) return Serve();
  if (choice < 24) return Compare("within the run");
  // The checkpoint thread may be slow to come: the overlay fills up.
  if (choice < 28 || (choice < 50 && store_->CheckpointDue(clock_.now))) {
    return Checkpoint();
  }
  return Turn();
}

absl::Status EventTimeSimulation::Step() {
  Tick(RandomTick());
  if (OneIn(20)) kafka_.SetAway(false);
  if (OneIn(20)) kafka_.HoldAcknowledgements(false);
  const uint64_t choice = Below(100);
  if (choice < 35) {
    Produce();
    return absl::OkStatus();
  }
  if (choice < 40) {
    Disturb();
    return absl::OkStatus();
  }
  return alive_ ? LiveStep() : Open();
}

absl::Status EventTimeSimulation::Run() {
  ++counts_->runs;
  if (traits_.orderly) ++counts_->orderly_runs;
  CountFeatures();
  RETURN_IF_ERROR(Compile());
  for (int step = 0; step < kStepsPerRun; ++step) {
    RETURN_IF_ERROR_CTX(Step(), absl::StrCat("step=", step));
  }
  RETURN_IF_ERROR_CTX(Finish(), "finish");
  RETURN_IF_ERROR(Compare("at the end"));
  RETURN_IF_ERROR(FinishSubscribers());
  // What a last crash leaves must give the same, or be read again.
  RETURN_IF_ERROR(Crash());
  RETURN_IF_ERROR_CTX(Finish(), "after the last crash");
  RETURN_IF_ERROR(Compare("after the last crash"));
  RETURN_IF_ERROR(CompareLetters());
  RETURN_IF_ERROR(FinishSubscribers());
  CountSubscribers();
  return absl::OkStatus();
}

void EventTimeSimulation::Heal() {
  kafka_.SetAway(false);
  kafka_.HoldAcknowledgements(false);
  for (size_t s = 0; s < world_.sources.size(); ++s) {
    for (int p = 0; p < records_.partitions(static_cast<int>(s)); ++p) {
      kafka_.SetDown(world_.sources[s].name, p, false);
    }
  }
}

bool EventTimeSimulation::ReadEverything() const {
  const Positions positions = store_->positions();
  for (size_t s = 0; s < world_.sources.size(); ++s) {
    const int source = static_cast<int>(s);
    if (!world_.IsRead(source)) continue;
    for (int p = 0; p < records_.partitions(source); ++p) {
      const auto at =
          positions.partitions.find({world_.sources[s].name, PartitionId(p)});
      const int64_t read =
          at == positions.partitions.end() ? 0 : at->second.next_offset.value();
      if (read < records_.end(source, p)) return false;
    }
  }
  return positions.tables_ready;
}

absl::Status EventTimeSimulation::Finish() {
  Heal();
  steps_to_live_ = 0;
  int turns = 0;
  bool read = false;
  while (!read) {
    if (++turns > kMaxTurnsToFinish) {
      return absl::DeadlineExceededError("not everything was read");
    }
    Tick(300'000);
    if (!alive_) {
      RETURN_IF_ERROR(Open());
      steps_to_live_ = 0;
    } else if (store_->OverlayFull()) {
      RETURN_IF_ERROR(Checkpoint());
    } else {
      RETURN_IF_ERROR(Turn());
      read = ReadEverything();
    }
  }
  return Settle();
}

// Time passes without events; in the end the watermark stands where it may.
absl::Status EventTimeSimulation::Settle() {
  for (uint64_t i = 0, n = 1 + Below(12); i < n; ++i) {
    Tick(RandomTick() + (OneIn(3) ? 5 * kSecondUs : 0));
    if (store_->OverlayFull()) RETURN_IF_ERROR(Checkpoint());
    RETURN_IF_ERROR(Turn());
  }
  Tick((loop_options_.watermark_commit_interval_ms + 1) * 1000);
  for (int i = 0; i < 3; ++i) {
    if (store_->OverlayFull()) RETURN_IF_ERROR(Checkpoint());
    RETURN_IF_ERROR(Turn());
  }
  return absl::OkStatus();
}

}  // namespace tidegate::simulation
