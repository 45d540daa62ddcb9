// A value of the SQL dialect, as expressions and folds handle it.
#ifndef TIDEGATE_VIEWS_PLAN_DATUM_H_
#define TIDEGATE_VIEWS_PLAN_DATUM_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace tidegate {

enum class Type : uint8_t {
  kBoolean,
  kInt,          // 32 bits, signed; held in Datum::i
  kBigint,       // 64 bits, signed
  kDouble,       // IEEE 754 binary64
  kVarchar,      // UTF-8, checked when it is decoded
  kTimestamptz,  // microseconds since 1970, UTC; held in Datum::i
};

// The SQL name, e.g. "DOUBLE PRECISION".
absl::string_view TypeName(Type type);

// 16 bytes, trivially copyable; the type is known from the plan, not from the
// value. Text is borrowed: it lives as long as the record, arena or row it was
// read from.
struct Datum {
  union {
    bool b;
    int64_t i = 0;
    double d;
    const char* s;
  };
  uint32_t size = 0;
  bool is_null = true;

  static Datum Null() { return Datum(); }
  static Datum Bool(bool v) {
    Datum x;
    x.b = v;
    x.is_null = false;
    return x;
  }
  // For INT, BIGINT and TIMESTAMPTZ.
  static Datum Int(int64_t v) {
    Datum x;
    x.i = v;
    x.is_null = false;
    return x;
  }
  static Datum Double(double v) {
    Datum x;
    x.d = v;
    x.is_null = false;
    return x;
  }
  // Borrows `v`, which is at most kMaxTextBytes long.
  static Datum Text(absl::string_view v) {
    Datum x;
    x.s = v.data();
    x.size = static_cast<uint32_t>(v.size());
    x.is_null = false;
    return x;
  }
  absl::string_view text() const { return absl::string_view(s, size); }
};

inline constexpr uint32_t kMaxTextBytes = 64u << 20;

// Total order within one type, as ORDER BY … NULLS LAST: <0, 0, >0. Doubles
// order -inf < … < +inf < NaN, and -0 equals 0.
int CompareDatum(Type type, const Datum& a, const Datum& b);

// One row of input or output, by column position.
using Row = absl::Span<const Datum>;
using MutableRow = absl::Span<Datum>;

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PLAN_DATUM_H_
