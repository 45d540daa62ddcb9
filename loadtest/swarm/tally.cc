#include "loadtest/swarm/tally.h"

#include "base/json_writer.h"

namespace tidegate::swarm {
namespace {

double Millis(int64_t micros) { return static_cast<double>(micros) / 1000; }

void WriteLatency(const Histogram& histogram, JsonWriter* json) {
  json->BeginObject();
  json->Key("updates").Int(histogram.count());
  json->Key("p50_ms").Double(Millis(histogram.Percentile(0.5)));
  json->Key("p99_ms").Double(Millis(histogram.Percentile(0.99)));
  json->Key("p999_ms").Double(Millis(histogram.Percentile(0.999)));
  json->Key("max_ms").Double(Millis(histogram.max()));
  json->EndObject();
}

void WriteCounts(const std::map<std::string, int64_t>& counts,
                 JsonWriter* json) {
  json->BeginObject();
  for (const auto& [name, count] : counts) json->Key(name).Int(count);
  json->EndObject();
}

void WriteFaults(const Tally& tally, JsonWriter* json) {
  json->BeginObject();
  json->Key("chosen_streams").Int(tally.chosen_streams);
  json->Key("stalls").Int(tally.stalls);
  json->Key("disconnects").Int(tally.disconnects);
  json->Key("storm_live_s");
  if (tally.storm_live_s < 0) {
    json->Null();
  } else {
    json->Double(tally.storm_live_s);
  }
  json->EndObject();
}

void WriteStreams(const Tally& tally, JsonWriter* json) {
  json->Key("streams").Int(tally.streams);
  json->Key("connections").Int(tally.connections);
  json->Key("all_live_s");
  if (tally.all_live_s < 0) {
    json->Null();
  } else {
    json->Double(tally.all_live_s);
  }
  json->Key("live_at_end").Int(tally.live_at_end);
  json->Key("connects").Int(tally.connects);
  json->Key("lost_connections").Int(tally.lost_connections);
  json->Key("opened").Int(tally.opened);
  json->Key("resumes").Int(tally.resumes);
  json->Key("drains").Int(tally.drains);
  json->Key("resets");
  WriteCounts(tally.resets, json);
  json->Key("ended");
  WriteCounts(tally.ended, json);
  json->Key("snapshot_rows").Int(tally.snapshot_rows);
  json->Key("snapshot_messages").Int(tally.snapshot_messages);
  json->Key("snapshot_bytes").Int(tally.snapshot_bytes);
}

}  // namespace

std::string ToJson(const Tally& tally, absl::string_view latency,
                   uint64_t seed) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  WriteStreams(tally, &json);
  json.Key("violations").Int(tally.violations);
  json.Key("violation_examples").BeginArray();
  for (const std::string& text : tally.violation_examples) json.String(text);
  json.EndArray();
  json.Key("measured_s").Double(tally.measured_s);
  json.Key("messages").Int(tally.messages);
  json.Key("updates").Int(tally.updates);
  json.Key("bytes").Int(tally.bytes);
  json.Key("latency").BeginObject();
  json.Key("from").String(latency);
  json.Key("all");
  WriteLatency(tally.all, &json);
  json.Key("healthy");
  WriteLatency(tally.healthy, &json);
  json.Key("last_of_burst");
  WriteLatency(tally.burst_last, &json);
  json.EndObject();
  json.Key("faults");
  WriteFaults(tally, &json);
  json.Key("swarm_cpu_s").Double(tally.cpu_s);
  json.Key("swarm_max_rss_mb").Double(tally.max_rss_mb);
  json.Key("seed").Uint(seed);
  json.EndObject();
  return out;
}

}  // namespace tidegate::swarm
