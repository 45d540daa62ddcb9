#include "clients/cpp/channel.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "clients/cpp/server_testing.h"
#include "clients/cpp/tls_testing.h"
#include "clients/cpp/view_client.h"

namespace tidegate::client {
namespace {

using ::testing::HasSubstr;

// Serves over TLS as "tidegate.test"; its own certificate is the one to trust.
class TlsServer : public v1::ViewService::Service {
 public:
  explicit TlsServer(bool asks_for_certificate)
      : listener_(this, 0, Credentials(asks_for_certificate)) {}
  std::string address() const { return listener_.address(); }
  grpc::Status ListViews(grpc::ServerContext*, const v1::ListViewsRequest*,
                         v1::ListViewsResponse*) override {
    return grpc::Status::OK;
  }

 private:
  static std::shared_ptr<grpc::ServerCredentials> Credentials(bool asks) {
    grpc::SslServerCredentialsOptions options(
        asks ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
             : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    options.pem_key_cert_pairs.push_back({kTestKey, kTestCertificate});
    options.pem_root_certs = kTestCertificate;
    return grpc::SslServerCredentials(options);
  }
  Listener listener_;
};

class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                absl::StrCat("tls_", getpid())) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "cert.pem") << kTestCertificate;
    std::ofstream(folder_ / "key.pem") << kTestKey;
    std::ofstream(folder_ / "empty.pem").flush();
  }
  ~ChannelTest() override { std::filesystem::remove_all(folder_); }

  static absl::Status List(const TlsServer& server,
                           const std::optional<TlsOptions>& tls) {
    ConnectOptions options;
    options.server = server.address();
    options.tls = tls;
    return ViewClient::Create(options, 10'000)->List().status();
  }
  TlsOptions Trusting() const {
    TlsOptions tls;
    tls.ca_file = folder_ / "cert.pem";
    tls.server_name = "tidegate.test";
    return tls;
  }

  const std::filesystem::path folder_;
};

TEST_F(ChannelTest, TrustsWhomItIsToldToTrust) {
  const TlsServer server(/*asks_for_certificate=*/false);
  EXPECT_TRUE(List(server, Trusting()).ok()) << List(server, Trusting());
  TlsOptions by_address = Trusting();
  by_address.server_name.clear();  // the certificate is not of 127.0.0.1
  for (const std::optional<TlsOptions>& wrong :
       {std::optional<TlsOptions>(), std::optional<TlsOptions>(TlsOptions()),
        std::optional<TlsOptions>(by_address)}) {
    EXPECT_EQ(List(server, wrong).code(), absl::StatusCode::kUnavailable);
  }
}

TEST_F(ChannelTest, ProvesWhoItIs) {
  const TlsServer server(/*asks_for_certificate=*/true);
  TlsOptions tls = Trusting();
  EXPECT_EQ(List(server, tls).code(), absl::StatusCode::kUnavailable);
  tls.cert_file = folder_ / "cert.pem";
  EXPECT_THAT(List(server, tls).message(),
              HasSubstr("cert_file and key_file come together"));
  tls.key_file = folder_ / "key.pem";
  EXPECT_TRUE(List(server, tls).ok()) << List(server, tls);
  tls.ca_file = folder_ / "empty.pem";
  EXPECT_THAT(List(server, tls).message(), HasSubstr("empty.pem: no text"));
}

TEST_F(ChannelTest, AChannelIsKeptUntilItIsDropped) {
  ConnectOptions options;
  options.server = "a:1, b:1,c:1,";
  Channels channels(options);
  EXPECT_EQ(channels.servers(), 3u);
  const auto first = channels.Get();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(channels.Get().value(), *first);
  channels.Drop(nullptr);
  EXPECT_EQ(channels.Get().value(), *first);
  channels.Drop(*first);
  EXPECT_NE(channels.Get().value(), *first);
}

}  // namespace
}  // namespace tidegate::client
