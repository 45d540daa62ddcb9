// Without a broker everything but the bytes on the wire happens in memory, in
// one thread, whose CPU is what is measured.
#include "cmd/tidegate/formats/bench_formats.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cmd/tidegate/formats/broker_round.h"
#include "cmd/tidegate/formats/cpu_time.h"
#include "cmd/tidegate/formats/format_events.h"
#include "cmd/tidegate/formats/format_report.h"
#include "cmd/tidegate/formats/format_views.h"
#include "cmd/tidegate/formats/wire_bytes.h"
#include "ingest/decode/decoder.h"
#include "loadtest/bench/load.h"
#include "views/fold/view_fold.h"
#include "views/pipeline/catalog.h"

namespace tidegate {
namespace {

// So many different events; they are gone through again and again.
constexpr int64_t kPoolEvents = 100'000;
// Between drains of the fold, as a busy loop's commits would have them.
constexpr int64_t kEventsPerDrain = 10'000;

// Microseconds of CPU a call of `one`, called with 0 … events-1.
template <typename One>
absl::StatusOr<double> MicrosPerEvent(int64_t events, One one) {
  const double start = CpuSeconds(CLOCK_THREAD_CPUTIME_ID);
  for (int64_t i = 0; i < events; ++i) {
    absl::Status status = one(i);
    if (!status.ok()) return status;
  }
  return (CpuSeconds(CLOCK_THREAD_CPUTIME_ID) - start) * 1e6 /
         static_cast<double>(events);
}

class SchemaFolder {
 public:
  SchemaFolder()
      : path_(std::filesystem::temp_directory_path() /
              absl::StrCat("tidegate-bench-formats-", getpid())) {
    std::filesystem::create_directories(path_);
    std::ofstream(path_ / kFormatProtoFile) << kFormatProto;
    std::ofstream(path_ / kFormatAvroFile) << kFormatAvro;
  }
  ~SchemaFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  SchemaFolder(const SchemaFolder&) = delete;
  SchemaFolder& operator=(const SchemaFolder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  const std::filesystem::path path_;
};

// One format: its records, its decoder, and a view over them.
class Side {
 public:
  // `pool` must outlive it.
  static absl::StatusOr<std::unique_ptr<Side>> Create(
      BenchFormat format, const FormatPool* pool, const std::string& schemas) {
    auto side = std::unique_ptr<Side>(new Side(format, pool));
    ASSIGN_OR_RETURN(side->plans_, CompileFormatViews(EncodeClause(format)));
    side->catalog_ = MakeCatalog(side->plans_, "default", nullptr);
    const SourcePlan& source = side->plans_.sources[0];
    const ViewPlan& view = side->plans_.views[0];
    ASSIGN_OR_RETURN(side->decoder_,
                     MakeDecoder(source, view.used_columns, schemas));
    side->row_.resize(source.columns.size());
    side->fold_ = ViewFold::Create(
        &view, &source, nullptr, &side->catalog_.views[0].schema,
        {.stored = [](absl::string_view, Stored*) -> absl::StatusOr<bool> {
          return false;
        }});
    return side;
  }

  BenchFormat format() const { return format_; }
  const std::vector<std::string>& keys() const { return pool_.keys; }
  const std::vector<std::string>& values() const { return values_; }
  double value_bytes() const {
    int64_t bytes = 0;
    for (const std::string& value : values_) {
      bytes += static_cast<int64_t>(value.size());
    }
    return static_cast<double>(bytes) / static_cast<double>(values_.size());
  }

  absl::StatusOr<double> Encode(int64_t events) {
    std::string out;
    return MicrosPerEvent(events, [&](int64_t i) {
      EncodeFormatEvent(format_, pool_.events[i % kPoolEvents], &out);
      return out.empty() ? absl::InternalError("nothing encoded")
                         : absl::OkStatus();
    });
  }

  absl::StatusOr<double> Decode(int64_t events) {
    return MicrosPerEvent(events, [this](int64_t i) { return DecodeOne(i); });
  }

  absl::StatusOr<double> DecodeAndFold(int64_t events) {
    LateEvent late;
    int64_t changes = 0;
    return MicrosPerEvent(events, [&](int64_t i) -> absl::Status {
      RETURN_IF_ERROR(DecodeOne(i));
      Event event;
      event.columns = row_;
      event.order.time = EventTime(row_[plans_.sources[0].watermark->column].i);
      event.order.offset = Offset(i);
      RETURN_IF_ERROR(fold_->Apply(event, &late));
      if ((i + 1) % kEventsPerDrain != 0) return absl::OkStatus();
      return fold_->Drain([&changes](const FoldedChange&) { ++changes; });
    });
  }

 private:
  Side(BenchFormat format, const FormatPool* pool)
      : format_(format), pool_(*pool) {
    for (const FormatEvent& event : pool_.events) {
      EncodeFormatEvent(format, event, &values_.emplace_back());
    }
  }

  absl::Status DecodeOne(int64_t i) {
    return decoder_->Decode(values_[i % kPoolEvents], absl::MakeSpan(row_));
  }

  const BenchFormat format_;
  const FormatPool& pool_;
  std::vector<std::string> values_;
  PlanSet plans_;
  Catalog catalog_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<Datum> row_;
  std::unique_ptr<ViewFold> fold_;
};

absl::Status Measure(Side* side, int64_t events, FormatSamples* samples) {
  const auto add = [&](const char* measure, double value) {
    (*samples)[measure][side->format()].push_back(value);
  };
  ASSIGN_OR_RETURN(const double encode, side->Encode(events));
  ASSIGN_OR_RETURN(const double decode, side->Decode(events));
  ASSIGN_OR_RETURN(const double fold, side->DecodeAndFold(events));
  add("encode", encode);
  add("decode", decode);
  add("decode+fold", fold);
  std::fprintf(
      stderr, "  %s: encode %.3f us, decode %.3f us, and fold %.3f us\n",
      std::string(FormatName(side->format())).c_str(), encode, decode, fold);
  return absl::OkStatus();
}

absl::Status MeasureBytes(const Side& side, FormatSamples* samples) {
  (*samples)["bytes"][side.format()] = {side.value_bytes()};
  for (const char* codec : {"none", "lz4"}) {
    ASSIGN_OR_RETURN(const double bytes,
                     WireBytesPerRecord(side.keys(), side.values(), codec));
    (*samples)[absl::StrCat("wire.", codec)][side.format()] = {bytes};
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BenchEntry>> BenchInMemory(
    const BenchOptions& options, const FormatPool& pool) {
  const SchemaFolder schemas;
  std::vector<std::unique_ptr<Side>> sides;
  FormatSamples samples;
  for (const BenchFormat format : kBenchFormats) {
    ASSIGN_OR_RETURN(std::unique_ptr<Side> side,
                     Side::Create(format, &pool, schemas.path()));
    RETURN_IF_ERROR(MeasureBytes(*side, &samples));
    sides.push_back(std::move(side));
  }
  for (int round = 0; round < options.rounds; ++round) {
    std::fprintf(stderr, "round %d, in memory\n", round + 1);
    for (const std::unique_ptr<Side>& side : sides) {
      RETURN_IF_ERROR(Measure(side.get(), options.events, &samples));
    }
  }
  return FormatEntries(samples, kMemoryMeasures);
}

absl::StatusOr<std::vector<BenchEntry>> BenchWithBroker(
    const BenchOptions& options, const FormatPool& pool) {
  FormatSamples samples;
  for (int round = 0; round < options.rounds; ++round) {
    std::fprintf(stderr, "round %d, with a broker\n", round + 1);
    for (size_t turn = 0; turn < std::size(kBenchFormats); ++turn) {
      // Another one begins each round.
      const BenchFormat format =
          kBenchFormats[(static_cast<size_t>(round) + turn) %
                        std::size(kBenchFormats)];
      const std::string name(FormatName(format));
      const std::string topic =
          absl::StrCat("bench-formats-", getpid(), "-", name, "-", round);
      RETURN_IF_ERROR(CreateBenchTopic(options.bootstrap_servers, topic,
                                       options.partitions));
      ASSIGN_OR_RETURN(const BrokerRound result,
                       RunBrokerRound(options, pool, format, topic));
      samples["broker.bytes"][format].push_back(result.bytes);
      samples["produce.cpu"][format].push_back(result.produce.cpu_us);
      samples["produce.rate"][format].push_back(result.produce.rate);
      samples["consume.cpu"][format].push_back(result.consume.cpu_us);
      samples["consume.rate"][format].push_back(result.consume.rate);
      std::fprintf(stderr,
                   "  %s: %.1f bytes, produce %.3f us %.0f events/s, consume "
                   "%.3f us %.0f events/s\n",
                   name.c_str(), result.bytes, result.produce.cpu_us,
                   result.produce.rate, result.consume.cpu_us,
                   result.consume.rate);
    }
  }
  return FormatEntries(samples, kBrokerMeasures);
}

}  // namespace

absl::StatusOr<std::vector<BenchEntry>> BenchFormats(
    const BenchOptions& options) {
  const FormatPool pool = MakeFormatPool(kPoolEvents, options.keys);
  return options.bootstrap_servers.empty() ? BenchInMemory(options, pool)
                                           : BenchWithBroker(options, pool);
}

}  // namespace tidegate
