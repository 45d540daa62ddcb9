#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ingest/registry/http_client.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Takes connections on loopback, one after the other, and answers each with the
// same bytes, or not at all.
class Listener {
 public:
  explicit Listener(std::string answer) : answer_(std::move(answer)) {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_, any, size), 0);
    EXPECT_EQ(listen(socket_, 1), 0);
    EXPECT_EQ(getsockname(socket_, any, &size), 0);
    url_ = absl::StrCat("http://127.0.0.1:", ntohs(address.sin_port));
    thread_ = std::thread([this] { Serve(); });
  }
  ~Listener() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }
  const std::string& url() const { return url_; }
  // After a Get() that was answered.
  const std::string& request() const { return request_; }

 private:
  void Serve() {
    while (true) {
      const int peer = accept(socket_, nullptr, nullptr);
      if (peer < 0) return;
      std::string request;
      char buffer[4096];
      while (!absl::StrContains(request, "\r\n\r\n")) {
        const ssize_t got = read(peer, buffer, sizeof(buffer));
        if (got <= 0) break;
        request.append(buffer, static_cast<size_t>(got));
      }
      if (answer_.empty()) {
        // Until the client gives up.
        while (read(peer, buffer, sizeof(buffer)) > 0) continue;
      } else {
        request_ = request;
        (void)send(peer, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      }
      close(peer);
    }
  }

  const std::string answer_;
  int socket_ = -1;
  std::string url_;
  std::string request_;
  std::thread thread_;
};

TEST(CurlHttpClient, GetsStatusAndBody) {
  const Listener listener(
      "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nhello");
  const auto client = MakeCurlHttpClient({});
  for (int i = 0; i < 2; ++i) {
    const auto response = client->Get(listener.url() + "/schemas/ids/7");
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 404);
    EXPECT_EQ(response->body, "hello");
  }
  EXPECT_THAT(listener.request(), HasSubstr("GET /schemas/ids/7 HTTP/1.1\r\n"));
  EXPECT_THAT(listener.request(),
              HasSubstr("Accept: application/vnd.schemaregistry.v1+json"));
  EXPECT_THAT(listener.request(), Not(HasSubstr("Authorization")));
}

TEST(CurlHttpClient, SendsBasicAuth) {
  const Listener listener("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  HttpAccess access;
  access.user_info = "me:pass:word";
  const auto client = MakeCurlHttpClient(access);
  ASSERT_TRUE(client->Get(listener.url()).ok());
  EXPECT_THAT(listener.request(),
              HasSubstr("Authorization: Basic bWU6cGFzczp3b3Jk\r\n"));
}

TEST(CurlHttpClient, FollowsNoRedirect) {
  const Listener listener(
      "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /x\r\n\r\n");
  const auto response = MakeCurlHttpClient({})->Get(listener.url());
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 302);
}

TEST(CurlHttpClient, NobodyThereIsUnavailable) {
  std::string url;
  { url = Listener("x").url(); }
  HttpAccess access;
  access.user_info = "me:hunter2";
  const auto client = MakeCurlHttpClient(access);
  for (const std::string& each : {url, std::string("ftp://127.0.0.1/"),
                                  std::string("http://"), url + "/\x01"}) {
    const absl::Status status = client->Get(each).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
  }
}

TEST(CurlHttpClient, ALongAnswerIsCutOff) {
  const Listener listener(
      absl::StrCat("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
                   std::string(kMaxHttpBodyBytes + 1, 'x')));
  const auto client = MakeCurlHttpClient({});
  EXPECT_TRUE(absl::IsResourceExhausted(client->Get(listener.url()).status()));
}

TEST(CurlHttpClient, CancelEndsAGetUnderWay) {
  const Listener listener("");
  const auto client = MakeCurlHttpClient({});
  absl::Status status;
  std::thread getting([&] { status = client->Get(listener.url()).status(); });
  client->Cancel();
  getting.join();
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(client->Get(listener.url()).ok());
}

}  // namespace
}  // namespace tidegate
