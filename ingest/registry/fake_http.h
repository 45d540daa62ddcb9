// For tests: a schema registry in memory, behind the seam to HTTP.
#ifndef TIDEGATE_INGEST_REGISTRY_FAKE_HTTP_H_
#define TIDEGATE_INGEST_REGISTRY_FAKE_HTTP_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "ingest/registry/http_client.h"

namespace tidegate {

// Thread-safe. Outlives its clients.
class FakeHttp {
 public:
  void Put(const std::string& url, int status, std::string body) {
    MutexLock lock(&mutex_);
    answers_[url] = {status, std::move(body)};
    changed_.SignalAll();
  }
  // As the registry at http://registry would.
  void PutSchema(int id, const std::string& type, const std::string& text,
                 const std::string& references = "[]") {
    Put(absl::StrCat("http://registry/schemas/ids/", id), 200,
        Answer(type, text, references));
  }
  // What others refer to.
  void PutVersion(const std::string& subject, int version,
                  const std::string& type, const std::string& text,
                  const std::string& references = "[]") {
    Put(absl::StrCat("http://registry/subjects/", subject, "/versions/",
                     version, "?deleted=true"),
        200, Answer(type, text, references));
  }
  void SetAway(bool away) {
    MutexLock lock(&mutex_);
    away_ = away;
  }
  // Requests wait until they are let go.
  void Hold(bool held) {
    MutexLock lock(&mutex_);
    held_ = held;
    changed_.SignalAll();
  }
  std::vector<std::string> requests() const {
    MutexLock lock(&mutex_);
    return requests_;
  }

  std::unique_ptr<HttpClient> NewClient() {
    return std::make_unique<Client>(this);
  }

 private:
  static std::string Answer(const std::string& type, const std::string& text,
                            const std::string& references) {
    std::string escaped;
    for (const char c : text) {
      if (c == '"' || c == '\\') escaped.push_back('\\');
      if (c == '\n') {
        escaped += "\\n";
      } else {
        escaped.push_back(c);
      }
    }
    return absl::StrCat(R"({"schemaType":")", type, R"(","schema":")", escaped,
                        R"(","references":)", references, "}");
  }
  class Client final : public HttpClient {
   public:
    explicit Client(FakeHttp* fake) : fake_(*fake) {}
    absl::StatusOr<HttpResponse> Get(const std::string& url) override {
      MutexLock lock(&fake_.mutex_);
      fake_.requests_.push_back(url);
      while (fake_.held_ && !cancelled_) fake_.changed_.Wait(&fake_.mutex_);
      if (cancelled_) return absl::CancelledError("cancelled");
      if (fake_.away_) return absl::UnavailableError("connection refused");
      const auto found = fake_.answers_.find(url);
      if (found != fake_.answers_.end()) return found->second;
      return HttpResponse{
          404, R"({"error_code":40403,"message":"Schema not found"})"};
    }
    void Cancel() override {
      MutexLock lock(&fake_.mutex_);
      cancelled_ = true;
      fake_.changed_.SignalAll();
    }

   private:
    FakeHttp& fake_;
    bool cancelled_ ABSL_GUARDED_BY(fake_.mutex_) = false;
  };

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, HttpResponse> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  bool away_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_REGISTRY_FAKE_HTTP_H_
