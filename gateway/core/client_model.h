// What a client makes of a stream, for tests: it applies every message and
// checks what it may rely on. Reads the wire format itself.
#ifndef TIDEGATE_GATEWAY_CORE_CLIENT_MODEL_H_
#define TIDEGATE_GATEWAY_CORE_CLIENT_MODEL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/coding.h"
#include "base/ids.h"
#include "gateway/core/fake_store.h"
#include "views/fold/row_codec.h"

namespace tidegate {

struct ClientModel {
  const RowSchema* schema = nullptr;
  ModelRows rows;               // as the client holds them
  std::optional<Seq> position;  // set while no snapshot is under way
  std::string token;
  bool in_fragments = false;
  int64_t watermark = -1;
  int upserts = 0, deletes = 0, ends = 0, resets = 0, fragments = 0;
  int progress = 0, drains = 0, snapshot_messages = 0, messages = 0;
  int multi_commit_ranges = 0;
  bool started = false;   // first response seen
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
  void ApplyWaiting() {
    for (const std::string& change : waiting) ApplyChange(change);
    waiting.clear();
  }

  void ApplyChange(absl::string_view change) {
    WireField field;
    while (!change.empty() && GetWireField(&change, &field)) {
      if (field.number == 1) {
        ++upserts;
        rows[KeyOfRow(field.bytes)] = std::string(field.bytes);
      } else if (field.number == 2) {
        ++deletes;
        rows.erase(Comparable(field.bytes));
      } else {
        Fail(absl::StrCat("change kind ", field.number));
      }
    }
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
      if (!position) Fail("fragment in a snapshot");
      in_fragments = true;
      return;
    }
    ApplyWaiting();
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
