#include "cmd/tidegate/commands.h"

#include <utility>

#include "cmd/tidegate/kafka_settings.h"

namespace tidegate {
namespace {

Flag Server() {
  return {.name = "server",
          .type = FlagType::kAddress,
          .value_name = "HOST:PORT",
          .help = "the server to ask",
          .default_value = "127.0.0.1:7070"};
}

Flag Format() {
  return {.name = "format",
          .type = FlagType::kChoice,
          .help = "a table for people, or one JSON object a line",
          .default_value = "table",
          .choices = {"table", "json"}};
}

Flag Timeout() {
  return {.name = "timeout",
          .type = FlagType::kDuration,
          .help = "how long to wait for an answer",
          .default_value = "10s"};
}

Flag KeyPrefix() {
  return {.name = "key-prefix",
          .value_name = "KEY",
          .help = "only rows whose keys begin so"};
}

Flag Where() {
  return {.name = "where",
          .value_name = "TEXT",
          .help = "only rows for which this SQL condition is true"};
}

Flag Repeated(Flag flag) {
  flag.repeated = true;
  return flag;
}

constexpr char kKeyNotes[] =
    "A KEY is the value itself if the view has one key column, `a=1,b=x` if\n"
    "it has several, or a JSON object.\n";

constexpr char kScanNotes[] =
    "A KEY is the value itself if the view has one key column; if it has\n"
    "several, some of the leading ones as `a=1,b=x`, or a JSON object:\n"
    "  tidegate scan orders --key-prefix region=EU --where 'total > 100'\n";

std::vector<Flag> Joined(std::vector<std::vector<Flag>> parts) {
  std::vector<Flag> all;
  for (std::vector<Flag>& part : parts) {
    for (Flag& flag : part) all.push_back(std::move(flag));
  }
  return all;
}

std::vector<Flag> StoreFlags() {
  return {
      {.name = "checkpoint-age",
       .type = FlagType::kDuration,
       .help = "a checkpoint is due when its oldest change is this old",
       .default_value = "10s"},
      {.name = "checkpoint-bytes",
       .type = FlagType::kBytes,
       .help = "... or when the changes take this much memory",
       .default_value = "64MiB"},
      {.name = "max-overlay-bytes",
       .type = FlagType::kBytes,
       .help = "at this much, folding waits for a checkpoint",
       .default_value = "256MiB"},
      {.name = "reorder-buffer-bytes",
       .type = FlagType::kBytes,
       .help = "memory for records that wait for the watermark, per pipeline; "
               "beyond it they go to disk",
       .default_value = "64MiB"},
      {.name = "log-retention",
       .type = FlagType::kDuration,
       .help = "how long subscribers can stay away and still resume",
       .default_value = "10m"},
      {.name = "log-retention-bytes",
       .type = FlagType::kBytes,
       .help = "... and how much change log is kept for them",
       .default_value = "1GiB"},
  };
}

std::vector<Flag> ServerFlags() {
  return {
      {.name = "data-dir",
       .value_name = "DIR",
       .help = "where rows and change logs are kept",
       .default_value = "tidegate-data"},
      {.name = "listen",
       .type = FlagType::kAddress,
       .value_name = "HOST:PORT",
       .help = "gRPC; port 0 takes a free one",
       .default_value = "127.0.0.1:7070"},
      {.name = "http",
       .type = FlagType::kAddress,
       .value_name = "HOST:PORT",
       .help = "/metrics, /healthz, /readyz",
       .default_value = "127.0.0.1:7071"},
      {.name = "rebuild",
       .value_name = "VIEW",
       .help = "build this view's pipeline anew from the earliest offset",
       .repeated = true},
      {.name = "accept-truncated-history",
       .type = FlagType::kSwitch,
       .help = "go on although retention has removed records"},
      {.name = "drain-time",
       .type = FlagType::kDuration,
       .help = "how long SIGTERM waits for subscribers to leave; they are sent "
               "away over the first half",
       .default_value = "5s"},
      {.name = "max-subscribers",
       .type = FlagType::kInt,
       .value_name = "N",
       .help = "streams at a time; more are refused with a retry delay",
       .default_value = "20000"},
      {.name = "max-streams-per-peer",
       .type = FlagType::kInt,
       .value_name = "N",
       .help = "... and of one client address",
       .default_value = "20000"},
      {.name = "max-stream-age",
       .type = FlagType::kDuration,
       .help = "hand a stream on at this age, give or take a tenth; 0: never",
       .default_value = "0s"},
      {.name = "max-connection-age",
       .type = FlagType::kDuration,
       .help =
           "... and ask a connection's client to open another; keep it below "
           "max-stream-age",
       .default_value = "0s"},
      {.name = "push-threads",
       .type = FlagType::kInt,
       .value_name = "N",
       .help = "threads that serve clients, each its own share of them",
       .default_value = "1"},
      {.name = "log-level",
       .type = FlagType::kChoice,
       .help = "what is written to standard error",
       .default_value = "info",
       .choices = {"debug", "info", "warning", "error"}},
  };
}

constexpr char kServeNotes[] =
    "When both ports are bound, one line is printed to standard output:\n"
    "  listening grpc=HOST:PORT http=HOST:PORT\n"
    "SIGTERM or SIGINT: subscribers are told to come back, the last state is\n"
    "checkpointed, and the exit code is 0.\n";

std::vector<Command> MakeServerCommands() {
  return {{.name = "serve",
           .summary = "Keep the views of a file and serve them.",
           .flags = Joined({{{.name = "views",
                              .value_name = "FILE",
                              .help = "the views, in SQL",
                              .required = true}},
                            KafkaFlags(),
                            {{.name = "schema-registry-config",
                              .value_name = "FILE",
                              .help = "lines of NAME=VALUE: credentials and "
                                      "TLS of a schema registry",
                              .repeated = true}},
                            ServerFlags(),
                            StoreFlags()}),
           .notes = kServeNotes},
          {.name = "demo",
           .summary = "See live views, with a broker of its own.",
           .flags = {{.name = "seconds",
                      .type = FlagType::kInt,
                      .value_name = "N",
                      .help = "end after N seconds; 0: at Ctrl-C",
                      .default_value = "0"},
                     {.name = "rate",
                      .type = FlagType::kInt,
                      .value_name = "N",
                      .help = "ride events a second",
                      .default_value = "1000"}}},
          {.name = "check",
           .arguments = "FILE",
           .summary = "Report every error in a views file.",
           .min_arguments = 1,
           .max_arguments = 1}};
}

constexpr char kWatchNotes[] =
    "A KEY is the value itself if the view has one key column, `a=1,b=x` if\n"
    "it has several, or a JSON object. --key-prefix takes it with some of the\n"
    "leading columns.\n"
    "\n"
    "Several views are watched over one session, and each line says its view:\n"
    "text begins with it, JSON has it as \"view\". Then --key, --key-prefix,\n"
    "--where and --resume begin with the view they are for:\n"
    "  tidegate watch orders totals --where 'totals:total > 100'\n";

constexpr char kProtoNotes[] =
    "The file is complete, for protoc and every language: the service\n"
    "tidegate.views.<View> with Get, Scan, Subscribe and Session, and its\n"
    "messages. Without VIEW it has all views. Check it in, and write it anew\n"
    "when the view has changed: columns keep their field numbers.\n"
    "  tidegate proto driver_totals > driver_totals.proto\n";

Command WatchCommand() {
  return {.name = "watch",
          .arguments = "VIEW...",
          .summary = "The rows, then every change; reconnects and resumes.",
          .min_arguments = 1,
          .max_arguments = -1,
          .flags = {Server(),
                    Format(),
                    Timeout(),
                    {.name = "key",
                     .value_name = "KEY",
                     .help = "only this row",
                     .repeated = true},
                    Repeated(KeyPrefix()),
                    Repeated(Where()),
                    {.name = "min-interval",
                     .type = FlagType::kDuration,
                     .help = "changes at most this often, conflated; 0: as "
                             "they come",
                     .default_value = "0s"},
                    {.name = "resume",
                     .value_name = "TOKEN",
                     .help = "go on after an earlier watch's \"token\", with "
                             "the same keys and conditions",
                     .repeated = true},
                    {.name = "until-snapshot-end",
                     .type = FlagType::kSwitch,
                     .help = "end when all rows are there"}},
          .notes = kWatchNotes};
}

std::vector<Command> MakeClientCommands() {
  return {{.name = "views",
           .summary = "List the views of a server.",
           .flags = {Server(), Format(), Timeout()}},
          {.name = "get",
           .arguments = "VIEW KEY...",
           .summary = "Rows by key; exit code 1 if one has no row.",
           .min_arguments = 2,
           .max_arguments = -1,
           .flags = {Server(), Format(), Timeout()},
           .notes = kKeyNotes},
          {.name = "scan",
           .arguments = "VIEW",
           .summary = "Rows in key order, as of one position.",
           .min_arguments = 1,
           .max_arguments = 1,
           .flags = {Server(),
                     Format(),
                     Timeout(),
                     KeyPrefix(),
                     Where(),
                     {.name = "limit",
                      .type = FlagType::kInt,
                      .value_name = "N",
                      .help = "at most N rows; 0: all",
                      .default_value = "0"}},
           .notes = kScanNotes},
          WatchCommand(),
          {.name = "proto",
           .arguments = "[VIEW]",
           .summary = "Print a view's own gRPC service as a .proto file.",
           .max_arguments = 1,
           .flags = {Server(), Timeout()},
           .notes = kProtoNotes}};
}

constexpr char kReplayNotes[] =
    "Each record goes, as it was, to the partition it came from. The header\n"
    "tidegate.replay.views says for which views (empty: every view of the\n"
    "source), tidegate.replay.origin where it stood first. A view that has "
    "not\n"
    "kept the window it is for diverts it again.\n"
    "\n"
    "A letter that is there twice is sent once, and is where its first copy\n"
    "is. What an earlier replay has sent is sent again, and counts again:\n"
    "begin behind it with --from-offset. Try --dry-run first.\n"
    "\n"
    "Exit code 1 if a letter was refused or a record was not acknowledged; "
    "then\n"
    "the last line says how to go on. 69 if Kafka cannot be reached.\n";

Flag ReplayNumber(const char* name, const char* help) {
  return {
      .name = name, .type = FlagType::kInt, .value_name = "N", .help = help};
}

std::vector<Flag> ReplayFlags() {
  return {{.name = "dead-letter-topic",
           .value_name = "TOPIC",
           .help = "where the letters are",
           .required = true},
          {.name = "view",
           .value_name = "VIEW",
           .help = "only for this view",
           .repeated = true},
          {.name = "reason",
           .type = FlagType::kChoice,
           .help = "only what was diverted so",
           .repeated = true,
           .choices = {"undecodable", "future", "late", "expression",
                       "no_event_time", "incompatible_schema"}},
          {.name = "origin-topic",
           .value_name = "TOPIC",
           .help = "only what came from there"},
          {.name = "since",
           .value_name = "TIME",
           .help = "only records with this timestamp (RFC 3339) or later"},
          {.name = "until",
           .value_name = "TIME",
           .help = "... and with an earlier one than this"},
          ReplayNumber("partition", "only letters in this partition"),
          ReplayNumber("from-offset", "only letters from this offset on"),
          ReplayNumber("to-offset", "... and below this one"),
          {.name = "dry-run",
           .type = FlagType::kSwitch,
           .help = "print what would be sent, send nothing"},
          {.name = "allow-compacted",
           .type = FlagType::kSwitch,
           .help = "send to compacted topics too, replacing newer records"},
          Format(),
          {.name = "timeout",
           .type = FlagType::kDuration,
           .help = "how long to wait for each answer of Kafka",
           .default_value = "30s"}};
}

Command ReplayCommand() {
  return {.name = "replay",
          .summary = "Send diverted records back from a dead-letter topic.",
          .flags = Joined({KafkaFlags(), ReplayFlags()}),
          .notes = kReplayNotes};
}

Flag BenchNumber(const char* name, const char* help, const char* value) {
  return {.name = name,
          .type = FlagType::kInt,
          .value_name = "N",
          .help = help,
          .default_value = value};
}

constexpr char kBenchNotes[] =
    "catchup: reading a topic from its start, events/s and CPU per event of "
    "the\n"
    "whole process, beside librdkafka's batch API alone.\n"
    "live: from produce() to a subscriber, beside the same events consumed "
    "from\n"
    "Kafka directly at the same time.\n"
    "live-streams: from produce() to a subscriber, beside the rows that a "
    "program\n"
    "which reads --topic writes to --rows-topic; loadtest/bench-streams runs "
    "it.\n"
    "window-close: from producing the event that completes a window of one\n"
    "second to its rows at a subscriber, beside that event consumed directly.\n"
    "nexmark: queries of Nexmark, each as catchup. With --generate-only, its\n"
    "events and views alone.\n"
    "formats: the same orders as JSON, Avro and Protobuf. Without Kafka: bytes "
    "a\n"
    "record, and CPU in memory to encode, decode and fold. With\n"
    "--bootstrap-servers: bytes sent to the broker, and CPU and events/s of\n"
    "producing (encode, frame, librdkafka, LZ4) and consuming (the same "
    "backwards).\n"
    "produce: no benchmark; fills --topic with catchup's orders.\n"
    "open-store: opens a store of no running server, and says how long it "
    "took.\n"
    "Topics are made for the run and left behind.\n";

std::vector<Flag> NexmarkFlags() {
  return {
      {.name = "query",
       .value_name = "QN",
       .help = "nexmark: this one; default: all",
       .repeated = true},
      BenchNumber("event-rate", "nexmark: a second of event time", "10000"),
      {.name = "out-of-order",
       .type = FlagType::kDuration,
       .help = "nexmark: events are less than so much older than their turn",
       .default_value = "4s"},
      BenchNumber("seed", "nexmark: what all events follow from", "1"),
      {.name = "generate-only",
       .type = FlagType::kSwitch,
       .help = "nexmark: fill the topics and end"},
      {.name = "csv",
       .value_name = "FILE",
       .help = "generate-only: also write the bids to FILE"},
      {.name = "views-dir",
       .value_name = "DIR",
       .help = "generate-only, produce: also write views.sql and the .proto"}};
}

Command BenchCommand() {
  Command command{
      .name = "bench",
      .arguments =
          "catchup|live|live-streams|window-close|nexmark|formats|produce|"
          "open-store",
      .summary = "Measure, beside the limit and in the same run.",
      .min_arguments = 1,
      .max_arguments = 1,
      .flags =
          {{.name = "bootstrap-servers",
            .value_name = "HOST:PORT,...",
            .help = "Kafka; all need it but open-store, and formats in memory"},
           {.name = "json",
            .value_name = "FILE",
            .help = "also write one JSON object a goal to FILE"},
           BenchNumber("rounds", "of both sides, interleaved", "5"),
           BenchNumber("partitions", "of the topic", "4"),
           BenchNumber("events",
                       "catchup, nexmark, produce: in the topics; formats: of "
                       "each measure, in each topic",
                       "5000000"),
           BenchNumber("keys", "catchup, produce, formats: distinct", "100000"),
           BenchNumber("first-order", "produce: number of the first", "0"),
           BenchNumber("rate",
                       "live, live-streams, window-close, produce in bursts: "
                       "events a second",
                       "10000"),
           BenchNumber("burst-ms",
                       "produce: from one burst to the next; 0: all at once",
                       "0"),
           BenchNumber("live-keys", "live, live-streams: distinct", "1000"),
           BenchNumber("subscribers", "live, live-streams: who share the keys",
                       "100"),
           {.name = "distribution",
            .value_name = "FILE",
            .help = "live: also write the percentiles of all rounds to FILE"},
           BenchNumber("window-keys", "window-close: distinct", "100"),
           BenchNumber("seconds", "live, window-close: a round", "20"),
           BenchNumber("warm-up", "... and seconds before it", "3"),
           {.name = "topic",
            .value_name = "TOPIC",
            .help = "bare-consumer, live-streams: what to read; produce: what "
                    "to fill; generate-only: how the names of the topics "
                    "begin"},
           {.name = "rows-topic",
            .value_name = "TOPIC",
            .help = "live-streams: the other program's rows"},
           {.name = "store",
            .value_name = "DIR",
            .help = "open-store: a pipeline's build within --data-dir"}},
      .notes = kBenchNotes};
  for (Flag& flag : NexmarkFlags()) command.flags.push_back(std::move(flag));
  return command;
}

std::vector<Command> MakeCommands() {
  std::vector<Command> commands = MakeServerCommands();
  for (Command& command : MakeClientCommands()) {
    commands.push_back(std::move(command));
  }
  commands.push_back(ReplayCommand());
  commands.push_back(BenchCommand());
  commands.push_back({.name = "version", .summary = "Print the version."});
  commands.push_back({.name = "help",
                      .arguments = "[COMMAND]",
                      .summary = "This text, or a command's.",
                      .max_arguments = 1});
  // The demo's measuring client, a process of its own.
  commands.push_back({.name = "demo-client",
                      .summary = "Subscribe and report on standard output.",
                      .flags = {Server()},
                      .hidden = true});
  return commands;
}

}  // namespace

const std::vector<Command>& AllCommands() {
  static const auto* const commands = new std::vector<Command>(MakeCommands());
  return *commands;
}

}  // namespace tidegate
