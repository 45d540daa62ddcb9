#include <curl/curl.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ingest/registry/http_client.h"

namespace tidegate {
namespace {

constexpr char kAccept[] =
    "Accept: application/vnd.schemaregistry.v1+json, application/json";

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// Thread-safe, as curl_global_init is not everywhere.
void InitCurlOnce() {
  static const CURLcode kInitialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)kInitialized;
}

struct Body {
  std::string bytes;
  bool too_long = false;
};

size_t TakeBytes(char* bytes, size_t size, size_t count, void* body_in) {
  auto* const body = static_cast<Body*>(body_in);
  const size_t length = size * count;
  if (body->bytes.size() + length > kMaxHttpBodyBytes) {
    body->too_long = true;
    return 0;  // ends the transfer
  }
  body->bytes.append(bytes, length);
  return length;
}

class CurlHttpClient final : public HttpClient {
 public:
  explicit CurlHttpClient(HttpAccess access) : access_(std::move(access)) {
    InitCurlOnce();
    easy_.reset(curl_easy_init());
    headers_.reset(curl_slist_append(nullptr, kAccept));
    if (easy_ != nullptr) Configure();
  }

  absl::StatusOr<HttpResponse> Get(const std::string& url) override;
  void Cancel() override { cancelled_.store(true); }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(easy_.get(), option, value);
    if (code != CURLE_OK && setup_ == CURLE_OK) setup_ = code;
  }
  void SetText(CURLoption option, const std::string& value) {
    if (!value.empty()) Set(option, value.c_str());
  }
  void Configure();
  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t,
                        curl_off_t) {
    return static_cast<CurlHttpClient*>(self)->cancelled_.load() ? 1 : 0;
  }

  const HttpAccess access_;
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<curl_slist, ListDeleter> headers_;  // outlives easy_
  char error_[CURL_ERROR_SIZE] = "";
  CURLcode setup_ = CURLE_OK;
  std::unique_ptr<CURL, EasyDeleter> easy_;
};

void CurlHttpClient::Configure() {
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kHttpConnectTimeoutMs));
  Set(CURLOPT_TIMEOUT_MS, static_cast<long>(kHttpGetTimeoutMs));
  Set(CURLOPT_USERAGENT, "tidegate");
  Set(CURLOPT_HTTPHEADER, headers_.get());
  Set(CURLOPT_ACCEPT_ENCODING, "");
  Set(CURLOPT_ERRORBUFFER, error_);
  Set(CURLOPT_WRITEFUNCTION, TakeBytes);
  Set(CURLOPT_NOPROGRESS, 0L);
  Set(CURLOPT_XFERINFOFUNCTION, OnProgress);
  Set(CURLOPT_XFERINFODATA, this);
  if (!access_.user_info.empty()) {
    Set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    const size_t colon = access_.user_info.find(':');
    SetText(CURLOPT_USERNAME, access_.user_info.substr(0, colon));
    if (colon != std::string::npos) {
      SetText(CURLOPT_PASSWORD, access_.user_info.substr(colon + 1));
    }
  }
  SetText(CURLOPT_CAINFO, access_.ca_file);
  SetText(CURLOPT_SSLCERT, access_.cert_file);
  SetText(CURLOPT_SSLKEY, access_.key_file);
  SetText(CURLOPT_KEYPASSWD, access_.key_password);
}

absl::StatusOr<HttpResponse> CurlHttpClient::Get(const std::string& url) {
  if (easy_ == nullptr) return absl::InternalError("libcurl: no handle");
  if (setup_ != CURLE_OK) {
    return absl::InternalError(
        absl::StrCat("libcurl: ", curl_easy_strerror(setup_)));
  }
  if (cancelled_.load()) return absl::CancelledError("cancelled");
  Body body;
  error_[0] = '\0';
  Set(CURLOPT_URL, url.c_str());
  Set(CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(easy_.get());
  if (body.too_long) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the answer is longer than ", kMaxHttpBodyBytes, " bytes"));
  }
  if (code != CURLE_OK) {
    return absl::UnavailableError(error_[0] != '\0' ? error_
                                                    : curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  return HttpResponse{static_cast<int>(status), std::move(body.bytes)};
}

}  // namespace

std::unique_ptr<HttpClient> MakeCurlHttpClient(HttpAccess access) {
  return std::make_unique<CurlHttpClient>(std::move(access));
}

}  // namespace tidegate
