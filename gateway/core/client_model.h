// What a client makes of a stream, for tests: it applies every message and
// checks what it may rely on. Reads the wire format itself.
#ifndef TIDEGATE_GATEWAY_CORE_CLIENT_MODEL_H_
#define TIDEGATE_GATEWAY_CORE_CLIENT_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/coding.h"
#include "base/ids.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/testing.h"
#include "views/fold/row_codec.h"

namespace tidegate {

struct ClientModel {
  const RowSchema* schema = nullptr;
  // The column that a row's window ends kTestWindowUs after; -1: no windows.
  int window_column = -1;
  ModelRows rows;                            // as the client holds them
  std::map<std::string, Finality> finality;  // of each row
  std::optional<Seq> position;  // set while no snapshot is under way
  std::string token;
  bool in_fragments = false;
  int64_t watermark = -1;
  int upserts = 0, deletes = 0, lefts = 0, ends = 0, resets = 0, fragments = 0;
  int progress = 0, drains = 0, snapshot_messages = 0, messages = 0;
  int multi_commit_ranges = 0;
  bool started = false;  // first response seen
  // Keys of the changes that the last response completed.
  std::vector<std::string> changed;
  std::string violation;  // the first one

  // The connection is gone, and with it what was not complete.
  void Disconnected() {
    waiting.clear();
    in_fragments = false;
    started = false;
  }
  void Fail(const std::string& what) {
    if (violation.empty()) violation = what;
  }

  // Keys by <View>Key: rows here have one key column, field 1.
  std::string KeyOfRow(absl::string_view row) {
    std::string key;
    WireField field;
    while (!row.empty() && GetWireField(&row, &field)) {
      if (field.number != 1) continue;
      PutTag(&key, 1, WireType::kLengthDelimited);
      PutLengthPrefixed(&key, field.bytes);
    }
    return Comparable(key);
  }
  std::string Comparable(absl::string_view message) {
    std::string key;
    if (!MessageToKey(*schema, message, &key).ok()) Fail("bad key");
    return key;
  }

  // A client applies a range whole: fragments wait for their last.
  std::vector<std::string> waiting;
  void ApplyWaiting(int64_t judged_by) {
    for (const std::string& change : waiting) ApplyChange(change, judged_by);
    waiting.clear();
  }

  // `judged_by`: the watermark of the response that completes the change, -1
  // if it has none.
  void ApplyChange(absl::string_view change, int64_t judged_by) {
    WireField field;
    std::optional<std::string> row;
    Finality said = Finality::kUnspecified;
    while (!change.empty() && GetWireField(&change, &field)) {
      if (field.number == 1) {
        row = std::string(field.bytes);
      } else if (field.number == 2 || field.number == 3) {
        ++(field.number == 2 ? deletes : lefts);
        const std::string key = Comparable(field.bytes);
        rows.erase(key);
        finality.erase(key);
        changed.push_back(key);
      } else if (field.number == 4) {
        said = static_cast<Finality>(field.varint);
        if (field.varint < 1 || field.varint > 3) Fail("finality out of range");
      } else {
        Fail(absl::StrCat("change kind ", field.number));
      }
    }
    if (!row) {
      if (said != Finality::kUnspecified) Fail("a finality without a row");
      return;
    }
    ++upserts;
    const std::string key = KeyOfRow(*row);
    JudgeFinality(*row, said, judged_by);
    if (position) JudgeSequence(key, *row, said);
    rows[key] = *row;
    finality[key] = said;
    changed.push_back(key);
  }

  void JudgeFinality(const std::string& row, Finality said, int64_t judged_by) {
    if (window_column < 0) {
      if (said != Finality::kUnspecified) Fail("finality without windows");
      return;
    }
    std::vector<Datum> columns(schema->fields.size());
    if (!DecodeRow(*schema, row, MutableRow(columns)).ok()) Fail("bad row");
    const int64_t end =
        columns[static_cast<size_t>(window_column)].i + kTestWindowUs;
    if (said == Finality::kUnspecified) Fail("no finality");
    const bool open = said == Finality::kProvisional;
    if (judged_by >= 0 && open != (end > judged_by)) {
      Fail(absl::StrCat(open ? "provisional" : "final", " at ", judged_by,
                        ", ends at ", end));
    }
    if (judged_by < 0 && !open && end > watermark) {
      Fail(absl::StrCat("final, ends at ", end, ", client is at ", watermark));
    }
  }

  // What is final changes by correction only, and stays corrected.
  void JudgeSequence(const std::string& key, const std::string& row,
                     Finality said) {
    const auto before = finality.find(key);
    if (before == finality.end()) return;
    if (before->second == Finality::kFinal && rows[key] != row &&
        said != Finality::kCorrected) {
      Fail("a final row changed without correction");
    }
    if (said < before->second) Fail("finality moved back");
  }

  // Fields of a message that are applied after its changes.
  struct Parsed {
    std::optional<Seq> from, to, position;
    bool snapshot = false, end = false, reset = false, drain = false;
    bool fragment = false, sent_at = false;
    int changes = 0;
    int64_t watermark = -1;
    std::string token;
  };

  static Seq PartitionSeqOf(absl::string_view position) {
    WireField field;
    Seq seq;
    while (!position.empty() && GetWireField(&position, &field)) {
      if (field.number != 2) continue;
      absl::string_view body = field.bytes;
      WireField inner;
      while (!body.empty() && GetWireField(&body, &inner)) {
        if (inner.number == 2) seq = Seq(inner.varint);
      }
    }
    return seq;
  }

  void Apply(absl::string_view message) {
    Parsed p;
    WireField f;
    ++messages;
    changed.clear();
    absl::string_view in = message;
    while (!in.empty()) {
      if (!GetWireField(&in, &f)) return Fail("malformed message");
      if (f.number == 1) {
        ++p.changes;
        waiting.emplace_back(f.bytes);
      } else if (f.number == 2) {
        if (p.from) Fail("two ranges");
        p.from = p.to = Seq(0);
        absl::string_view body = f.bytes;
        WireField r;
        while (!body.empty() && GetWireField(&body, &r)) {
          (r.number == 2 ? p.from : p.to) = Seq(r.varint);
        }
      } else if (f.number == 3) {
        p.token = std::string(f.bytes);
      } else if (f.number == 4) {
        p.snapshot = true;
      } else if (f.number == 5) {
        p.end = true;
      } else if (f.number == 6) {
        if (p.position) Fail("two positions");
        p.position = PartitionSeqOf(f.bytes);
      } else if (f.number == 7) {
        p.watermark = WatermarkMicros(f.bytes);
      } else if (f.number == 9) {
        p.sent_at = true;
      } else if (f.number == 10) {
        p.reset = true;
      } else if (f.number == 11) {
        p.drain = true;
      } else if (f.number == 12) {
        p.fragment = true;
      }
    }
    Judge(p);
  }

  static int64_t WatermarkMicros(absl::string_view body) {
    WireField f;
    int64_t micros = 0;
    while (!body.empty() && GetWireField(&body, &f)) {
      micros += static_cast<int64_t>(f.number == 1 ? f.varint * 1'000'000
                                                   : f.varint / 1000);
    }
    return micros;
  }

  void Judge(const Parsed& p) {
    if (!started && !p.drain && !p.position) Fail("no position at first");
    started = true;
    if (!p.sent_at) Fail("no sent_at");
    if (p.reset) {
      ++resets;
      if (p.changes > 0) Fail("changes in a reset");
      waiting.clear();
      rows.clear();
      finality.clear();
      position.reset();
      token.clear();
      in_fragments = false;
      watermark = -1;
      return;
    }
    if (p.watermark >= 0 && p.watermark < watermark) Fail("watermark back");
    watermark = std::max(watermark, p.watermark);
    if (p.drain) {
      ++drains;
      if (in_fragments) Fail("drain within fragments");
      token = p.token;
      return;
    }
    if (p.fragment) {
      ++fragments;
      if (p.from || !p.token.empty()) Fail("fragment with range or token");
      if (p.watermark >= 0) Fail("fragment with a watermark");
      if (!position) Fail("fragment in a snapshot");
      in_fragments = true;
      return;
    }
    ApplyWaiting(p.watermark);
    if (p.token.empty()) Fail("no token");
    token = p.token;
    if (p.end) {
      ++ends;
      if (position) Fail("a second snapshot_end");
      if (!p.position || p.changes > 0) Fail("end without position");
      position = p.position;
    } else if (p.snapshot) {
      ++snapshot_messages;
      if (position) Fail("snapshot after its end");
    } else {
      JudgeRange(p);
    }
  }

  void JudgeRange(const Parsed& p) {
    in_fragments = false;
    if (!p.from) return Fail("delta without range");
    if (!position) return Fail("delta before snapshot_end");
    if (*p.from != *position) {
      Fail(absl::StrCat("range from ", p.from->value(), ", client at ",
                        position->value()));
    }
    if (*p.to < *p.from) Fail("range goes back");
    if (p.to->value() > p.from->value() + 1) ++multi_commit_ranges;
    if (p.changes == 0) ++progress;
    position = p.to;
  }
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_CLIENT_MODEL_H_
