#include "ingest/record.h"

#include "base/coding.h"

namespace tidegate {

uint64_t RecordHash(const RawRecord& record) {
  // A length of 0 stands for an absent part, n + 1 for one of n bytes.
  std::string length;
  PutFixed64LittleEndian(&length, record.has_key ? record.key.size() + 1 : 0);
  uint64_t hash = Fnv1a64(length);
  if (record.has_key) hash = Fnv1a64(record.key, hash);
  length.clear();
  PutFixed64LittleEndian(&length,
                         record.has_value ? record.value.size() + 1 : 0);
  hash = Fnv1a64(length, hash);
  if (record.has_value) hash = Fnv1a64(record.value, hash);
  return hash;
}

}  // namespace tidegate
