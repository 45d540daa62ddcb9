// grpc.health.v1 and grpc.reflection as methods of the table.
#ifndef TIDEGATE_GATEWAY_GRPC_BUILTIN_METHODS_H_
#define TIDEGATE_GATEWAY_GRPC_BUILTIN_METHODS_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "gateway/grpc/health.h"
#include "gateway/grpc/methods.h"
#include "gateway/grpc/reflection.h"

namespace tidegate {

// Thread-safe.
class BuiltinMethods {
 public:
  // Reflection shows the pool's files and lists `services`, which health knows
  // too. The pool must outlive this.
  BuiltinMethods(const google::protobuf::DescriptorPool* pool,
                 const std::vector<std::string>& services);
  ~BuiltinMethods();

  // This must outlive the table and its streams.
  void AddMethods(MethodTable* methods);
  // Tells watchers when it changes.
  void SetServing(bool serving);

 private:
  class HealthWatch;
  void AddHealth(MethodTable* methods);
  void AddReflection(MethodTable* methods);

  HealthService health_;
  const Reflection reflection_;
  Mutex mutex_;
  absl::flat_hash_map<CallThread*, std::set<HealthWatch*>> watches_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_BUILTIN_METHODS_H_
