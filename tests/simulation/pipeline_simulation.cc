#include "tests/simulation/pipeline_simulation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/timestamp.h"
#include "views/pipeline/test_pipeline.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

constexpr int kStepsPerRun = 60;
constexpr int kMaxStepsPerLife = 40;
constexpr int kMaxTurnsToFinish = 10'000;
constexpr int64_t kMetadataIntervalMs = 30;
constexpr uint64_t kMaxOrdersBefore = 80;  // a build's first start
constexpr uint64_t kMaxBuildCommitMs = 20;
constexpr uint64_t kMaxBuildKeys = 60;

MaterializedStoreOptions SmallStore() {
  MaterializedStoreOptions options;
  options.checkpoint_bytes = 2 << 10;
  options.checkpoint_age_ms = 20;
  options.max_overlay_bytes = 3 << 10;
  options.log_retention_ms = 5;
  options.log_retention_bytes = 1 << 10;
  return options;
}

}  // namespace

PipelineSimulation::PipelineSimulation(uint64_t seed, StorePolicy policy,
                                       SimulationCounts* counts)
    : random_(seed),
      policy_(policy),
      counts_(counts),
      build_(Below(2) == 0),
      kafka_(seed + 1) {
  CompileResult compiled = CompileViews(kSimulationSql);
  plans_ = std::move(compiled.plans);
  catalog_ = MakeCatalog(plans_, "default", nullptr);
}

bool PipelineSimulation::Dies(const std::string& step) {
  if (steps_to_live_ == 0 || --steps_to_live_ > 0) return false;
  ++counts_->crashes[step];
  return true;
}

void PipelineSimulation::ProduceDrivers() {
  kafka_.CreateTopic("drivers", 1, /*compacted=*/true);
  for (uint64_t i = 0, n = Below(12); i < n; ++i) {
    const int64_t id = static_cast<int64_t>(Below(6));
    const std::string key = absl::StrCat(id);
    if (Below(5) == 0) {
      kafka_.Produce("drivers", 0, 1, key, std::nullopt);
      model_.drivers.erase(id);
    } else if (Below(8) == 0) {
      const Offset offset =
          kafka_.Produce("drivers", 0, 1, key, R"({"driver_id":99})");
      bad_.insert({"drivers", 0, offset.value()});
    } else {
      const std::string name = absl::StrCat("name", i);
      kafka_.Produce(
          "drivers", 0, 1, key,
          absl::StrCat(R"({"driver_id":)", id, R"(,"name":")", name, R"("})"));
      model_.drivers[id] = name;
    }
  }
}

void PipelineSimulation::ProduceOrder() {
  const int partition = static_cast<int>(Below(partitions_));
  ++produced_[partition];
  ++counts_->orders;
  const int64_t now_ms = clock_.now.value() / 1000;
  if (Below(15) == 0) {
    ++counts_->bad_records;
    const Offset offset = kafka_.Produce("orders", partition, now_ms,
                                         std::nullopt, "{\"order_id\": ");
    bad_.insert({"orders", partition, offset.value()});
    return;
  }
  ModelOrder order;
  order.order_id = absl::StrCat("o", next_order_++);
  order.driver_id = static_cast<int64_t>(Below(7));
  if (Below(4) != 0) order.region = absl::StrCat("r", Below(3));
  if (Below(6) != 0) order.amount = static_cast<int64_t>(Below(100)) - 20;
  order.price = static_cast<double>(Below(400)) / 4;
  // Out of order, and with ties.
  order.ts_us = clock_.now.value() - static_cast<int64_t>(Below(5)) * 1000;
  order.partition = partition;
  std::string json =
      absl::StrCat(R"({"order_id":")", order.order_id, R"(","driver_id":)",
                   order.driver_id, R"(,"price":)", order.price, R"(,"ts":")",
                   FormatTimestamp(order.ts_us), "\"");
  if (order.region.has_value()) {
    absl::StrAppend(&json, R"(,"region":")", *order.region, "\"");
  }
  if (order.amount.has_value()) {
    absl::StrAppend(&json, R"(,"amount":)", *order.amount);
  }
  order.offset =
      kafka_.Produce("orders", partition, now_ms, std::nullopt, json + "}")
          .value();
  model_.orders.push_back(std::move(order));
}

// The broker goes away or comes back, or a partition is added.
void PipelineSimulation::Disturb() {
  switch (Below(4)) {
    case 0:
      return kafka_.SetAway(Below(2) == 0);
    case 1:
      return kafka_.HoldAcknowledgements(Below(2) == 0);
    case 2:
      return kafka_.SetAway(false);
    default:
      if (partitions_ == 4) return;
      kafka_.AddPartitions("orders", 1);
      ++partitions_;
  }
}

absl::Status PipelineSimulation::TryOpen() {
  steps_to_live_ = static_cast<int64_t>(Below(kMaxStepsPerLife));
  dying_ = std::make_unique<DyingStore>(
      &disk_, [this](const std::string& step) { return Dies(step); });
  std::string incarnation = absl::StrCat("life ", ++lives_);
  incarnation.resize(kIncarnationBytes, '.');
  MaterializedStoreOptions store_options = SmallStore();
  store_options.build = build_;
  ASSIGN_OR_RETURN(store_,
                   MaterializedStore::Open(dying_.get(), store_options, policy_,
                                           incarnation, clock_.now));
  if (store_->building() && store_->head() > Seq(0)) ++counts_->builds_gone_on;
  CommitLimits build_limits = kBuildCommitLimits;
  build_limits.keys = 1 + Below(kMaxBuildKeys);
  ASSIGN_OR_RETURN(pipeline_, Pipeline::Create(&plans_, &catalog_, store_.get(),
                                               {}, build_limits));
  std::vector<std::string> topics;
  for (const Pipeline::Input& input : pipeline_->inputs()) {
    topics.push_back(plans_.sources[input.source].topic);
  }
  reader_ = kafka_.NewReader(std::move(topics));
  writer_ = kafka_.NewWriter();
  FoldLoop::Parts parts;
  parts.plans = &plans_;
  parts.pipeline = pipeline_.get();
  parts.store = store_.get();
  parts.reader = reader_.get();
  parts.dead_letters = writer_.get();
  parts.clock = &clock_;
  FoldLoopOptions options;
  options.max_poll_records = 1 + static_cast<int>(Below(8));
  options.poll_timeout_ms = 0;
  options.max_commit_hold_ms = static_cast<int64_t>(Below(2) * Below(50));
  options.metadata_interval_ms = kMetadataIntervalMs;
  options.build_commit_interval_ms =
      1 + static_cast<int64_t>(Below(kMaxBuildCommitMs));
  ASSIGN_OR_RETURN(loop_, FoldLoop::Create(parts, options));
  return loop_->Start();
}

absl::Status PipelineSimulation::Open() {
  alive_ = true;
  const absl::Status status = TryOpen();
  if (absl::IsUnavailable(status) && !dying_->dead()) {
    // The broker is away: the process gives up and starts again later.
    Crash();
    return absl::OkStatus();
  }
  return Survive(status);
}

absl::Status PipelineSimulation::Survive(const absl::Status& status) {
  if (!dying_->dead()) return status;
  Crash();
  return absl::OkStatus();
}

void PipelineSimulation::Crash() {
  alive_ = false;
  loop_.reset();
  writer_.reset();
  reader_.reset();
  pipeline_.reset();
  store_.reset();
  dying_.reset();
  const bool machine = Below(2) == 0;
  ++(machine ? counts_->machine_crashes : counts_->process_crashes);
  disk_.Crash(machine ? CrashKind::kMachine : CrashKind::kProcess,
              Below(disk_.unsynced_records() + 1));
}

absl::Status PipelineSimulation::Turn() {
  const Seq before = store_->head();
  const bool building = store_->building();
  const bool wanted = store_->build_end_wanted();
  if (store_->OverlayFull()) ++counts_->full_overlays;
  const absl::Status status = loop_->Turn().status();
  counts_->commits +=
      static_cast<int64_t>(store_->head().value() - before.value());
  if (building && store_->head() > before) ++counts_->build_commits;
  if (building && wanted && !store_->building()) {
    ++counts_->builds_ended_by_readers;
  }
  return Survive(status);
}

absl::Status PipelineSimulation::Checkpoint() {
  ++counts_->checkpoints;
  return Survive(store_->Checkpoint(clock_.now));
}

absl::Status PipelineSimulation::Step() {
  clock_.now = ProcessingTime(clock_.now.value() + 1000);
  const uint64_t choice = Below(100);
  if (choice < 35) {
    for (uint64_t i = 0, n = 1 + Below(4); i < n; ++i) ProduceOrder();
    return absl::OkStatus();
  }
  if (choice < 40) {
    Disturb();
    return absl::OkStatus();
  }
  if (!alive_) return Open();
  if (choice < 43) {
    ++counts_->crashes["between turns"];
    Crash();
    return absl::OkStatus();
  }
  if (choice < 44) {
    store_->EndBuild(0);
    return absl::OkStatus();
  }
  // The checkpoint thread may be slow to come: the overlay fills up.
  const bool late = choice < 80;
  if (choice < 46 || (!late && store_->CheckpointDue(clock_.now))) {
    return Checkpoint();
  }
  return Turn();
}

absl::Status PipelineSimulation::Run() {
  partitions_ = 1 + static_cast<int>(Below(3));
  kafka_.CreateTopic("orders", partitions_);
  ProduceDrivers();
  if (build_) {
    for (uint64_t i = 0, n = Below(kMaxOrdersBefore); i < n; ++i) {
      ProduceOrder();
    }
  }
  for (int step = 0; step < kStepsPerRun; ++step) {
    RETURN_IF_ERROR_CTX(Step(), absl::StrCat("step=", step));
  }
  RETURN_IF_ERROR_CTX(Finish(), "finish");
  RETURN_IF_ERROR(CompareRows("at the end"));
  RETURN_IF_ERROR(CompareDeadLetters());
  // What a last crash leaves must give the same rows, or read them again.
  Crash();
  RETURN_IF_ERROR_CTX(Finish(), "after the last crash");
  return CompareRows("after the last crash");
}

bool PipelineSimulation::ReadEverything() const {
  const Positions positions = store_->positions();
  for (const auto& [partition, count] : produced_) {
    const auto at =
        positions.partitions.find({"orders", PartitionId(partition)});
    if (at == positions.partitions.end() ||
        at->second.next_offset < Offset(count)) {
      return false;
    }
  }
  return positions.tables_ready;
}

absl::Status PipelineSimulation::Finish() {
  kafka_.SetAway(false);
  kafka_.HoldAcknowledgements(false);
  steps_to_live_ = 0;
  for (int turn = 0; turn < kMaxTurnsToFinish; ++turn) {
    clock_.now = ProcessingTime(clock_.now.value() + 1000);
    if (!alive_) {
      RETURN_IF_ERROR(Open());
      if (alive_) steps_to_live_ = 0;
    } else if (store_->OverlayFull()) {
      RETURN_IF_ERROR(Checkpoint());
    } else if (ReadEverything()) {
      return absl::OkStatus();
    } else {
      RETURN_IF_ERROR(Turn());
    }
  }
  return absl::DeadlineExceededError("not everything was read");
}

absl::Status PipelineSimulation::CompareRows(const char* when) const {
  const std::shared_ptr<const ReadView> head = store_->HeadView();
  for (const CatalogView& view : catalog_.views) {
    std::vector<std::string> rows;
    const auto it = head->NewIterator(view.id);
    for (it->Seek(""); it->Valid(); it->Next()) {
      rows.push_back(RowText(view.schema, it->row()));
    }
    RETURN_IF_ERROR(it->status());
    std::sort(rows.begin(), rows.end());
    const std::vector<std::string> wanted = model_.Rows(view.name);
    if (rows == wanted) continue;
    return absl::InternalError(
        absl::StrCat("view=", view.name, " differs ", when, "\nmodel:\n  ",
                     absl::StrJoin(wanted, "\n  "), "\nrows:\n  ",
                     absl::StrJoin(rows, "\n  ")));
  }
  return absl::OkStatus();
}

absl::Status PipelineSimulation::CompareDeadLetters() const {
  std::set<std::tuple<std::string, int, int64_t>> letters;
  for (const DeadLetter& letter : kafka_.dead_letters()) {
    const bool added =
        letters
            .insert({letter.source_topic, letter.partition.value(),
                     letter.offset.value()})
            .second;
    if (!added) ++counts_->repeated_letters;
  }
  // Tables of the simulation have no dead-letter topic.
  std::set<std::tuple<std::string, int, int64_t>> wanted;
  for (const auto& place : bad_) {
    if (std::get<0>(place) == "orders") wanted.insert(place);
  }
  if (letters == wanted) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("dead letters=", letters.size(),
                                          " bad records=", wanted.size()));
}

}  // namespace tidegate
