#include "loadtest/swarm/h2_client.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "loadtest/swarm/hpack.h"

namespace tidegate::swarm {
namespace {

using std::string_literals::operator""s;

constexpr size_t kPrefaceBytes = 24;

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream,
                  const std::string& payload) {
  std::string out;
  for (const int shift : {16, 8, 0}) {
    out.push_back(static_cast<char>(payload.size() >> shift));
  }
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) {
    out.push_back(static_cast<char>(stream >> shift));
  }
  return out + payload;
}

// Settings: at most 100 streams, frames of 16,384 bytes, this window.
std::string Settings(uint32_t window) {
  std::string payload = "\0\3\0\0\0\x64\0\5\0\0\x40\0\0\4"s;
  for (const int shift : {24, 16, 8, 0}) {
    payload.push_back(static_cast<char>(window >> shift));
  }
  return Frame(4, 0, 0, payload);
}

std::string Literal(const std::string& name, const std::string& value) {
  return "\0"s + static_cast<char>(name.size()) + name +
         static_cast<char>(value.size()) + value;
}

// ":status: 200" and a content type.
std::string Headers(uint32_t stream) {
  return Frame(1, 0x4, stream,
               "\x20\x88"s + Literal("content-type", "application/grpc"));
}

std::string Trailers(uint32_t stream, const std::string& code) {
  return Frame(1, 0x5, stream,
               Literal("grpc-status", code) + Literal("grpc-message", "gone"));
}

struct SentFrame {
  uint8_t type;
  uint8_t flags;
  uint32_t stream;
  std::string payload;
};

std::vector<SentFrame> Parse(absl::string_view bytes) {
  std::vector<SentFrame> frames;
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  while (bytes.size() >= 9) {
    const size_t size = static_cast<size_t>(at(0) << 16 | at(1) << 8 | at(2));
    frames.push_back(
        {at(3), at(4),
         static_cast<uint32_t>(at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8)),
         std::string(bytes.substr(9, size))});
    bytes.remove_prefix(9 + size);
  }
  EXPECT_TRUE(bytes.empty());
  return frames;
}

class Recorder : public H2Client::Handler {
 public:
  void OnReady() override { events.push_back("ready"); }
  void OnHeaders(uint32_t stream) override {
    events.push_back(absl::StrCat("headers ", stream));
  }
  void OnData(uint32_t stream, absl::string_view bytes) override {
    absl::StrAppend(&data, bytes);
    if (client != nullptr) client->Consumed(stream, bytes.size());
  }
  void OnEnd(uint32_t stream, const GrpcEnd& end) override {
    events.push_back(
        absl::StrCat("end ", stream, " ", end.code, " ", end.message));
  }
  void OnGoAway() override { events.push_back("goaway"); }

  std::vector<std::string> events;
  std::string data;
  H2Client* client = nullptr;
};

TEST(H2ClientTest, ReadsTheSameHoweverTheBytesAreCut) {
  const std::string whole = Settings(65'535) + Headers(1) +
                            Frame(0, 0, 1, "abc") +
                            Frame(0, 0x8, 1, "\2def\0\0"s) +  // padded
                            Frame(6, 0, 0, "12345678") +
                            Frame(0xaa, 0, 0, "unknown") + Trailers(1, "14");
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    Recorder recorder;
    H2Client client({.authority = "x"}, &recorder);
    client.Open("/a/B", "request");
    EXPECT_TRUE(client.Receive(whole.substr(0, cut)).ok());
    EXPECT_TRUE(client.Receive(whole.substr(cut)).ok());
    EXPECT_EQ(recorder.data, "abcdef");
    EXPECT_EQ(recorder.events, (std::vector<std::string>{"ready", "headers 1",
                                                         "end 1 14 gone"}));
    EXPECT_EQ(client.max_streams(), 100u);
    // The answers to settings and ping came with it.
    int acks = 0;
    const absl::string_view sent = *client.output();
    for (const SentFrame& frame : Parse(sent.substr(kPrefaceBytes))) {
      if ((frame.type == 4 || frame.type == 6) && frame.flags == 1) ++acks;
    }
    EXPECT_EQ(acks, 2) << cut;
  }
}

TEST(H2ClientTest, TheRequestIsFramedAndWaitsForItsWindow) {
  Recorder recorder;
  H2Client client({.authority = "host:1"}, &recorder);
  ASSERT_TRUE(client.Receive(Settings(65'535)).ok());
  client.output()->clear();
  const std::string request(70'000, 'r');
  const uint32_t stream = client.Open("/a/B", request);
  std::string body;
  bool ended = false;
  const auto take = [&] {
    for (const SentFrame& frame : Parse(*client.output())) {
      if (frame.type != 0) continue;
      EXPECT_FALSE(ended);
      EXPECT_EQ(frame.stream, stream);
      EXPECT_LE(frame.payload.size(), 16'384u);
      body += frame.payload;
      ended = frame.flags == 1;
    }
    client.output()->clear();
  };
  take();
  EXPECT_EQ(body.size(), 65'535u);
  EXPECT_FALSE(ended);
  ASSERT_TRUE(client.Receive(Frame(8, 0, 0, "\0\1\0\0"s)).ok());
  take();
  EXPECT_EQ(body.size(), 65'535u);  // the stream's own window is used up
  ASSERT_TRUE(client.Receive(Frame(8, 0, stream, "\0\1\0\0"s)).ok());
  take();
  EXPECT_TRUE(ended);
  EXPECT_EQ(body, "\0\0\1\x11\x70"s + request);
}

TEST(H2ClientTest, AStreamThatStaysOpenTakesMoreMessages) {
  Recorder recorder;
  H2Client client({.authority = "x"}, &recorder);
  ASSERT_TRUE(client.Receive(Settings(65'535)).ok());
  client.output()->clear();
  const uint32_t stream = client.Open("/a/B", "one", /*stays_open=*/true);
  client.Send(stream, "more");
  std::string body;
  for (const SentFrame& frame : Parse(*client.output())) {
    if (frame.type != 0) continue;
    EXPECT_EQ(frame.flags, 0);
    body += frame.payload;
  }
  EXPECT_EQ(body, "\0\0\0\0\3one\0\0\0\0\4more"s);
}

// How many WINDOW_UPDATEs answer messages of 1,000 bytes.
int WindowUpdates(bool eager, int messages) {
  Recorder recorder;
  H2Client client({.authority = "x", .eager_updates = eager}, &recorder);
  recorder.client = &client;
  EXPECT_TRUE(client.Receive(Settings(65'535)).ok());
  client.Open("/a/B", "");
  client.output()->clear();
  for (int i = 0; i < messages; ++i) {
    EXPECT_TRUE(client.Receive(Frame(0, 0, 1, std::string(1'000, 'm'))).ok());
  }
  int updates = 0;
  for (const SentFrame& frame : Parse(*client.output())) {
    if (frame.type == 8) ++updates;
  }
  return updates;
}

TEST(H2ClientTest, GivesTheWindowBackEachTimeOrByHalves) {
  EXPECT_EQ(WindowUpdates(/*eager=*/true, 40), 80);  // stream and connection
  EXPECT_EQ(WindowUpdates(/*eager=*/false, 40), 1);  // 32,767 of the stream's
}

TEST(H2ClientTest, NothingIsHeardOfAStreamThatWasReset) {
  Recorder recorder;
  H2Client client({.authority = "x"}, &recorder);
  ASSERT_TRUE(client.Receive(Settings(65'535)).ok());
  client.Open("/a/B", "");
  client.Reset(1);
  ASSERT_TRUE(client
                  .Receive(Headers(1) + Frame(0, 0, 1, "late") +
                           Frame(3, 0, 1, "\0\0\0\x8"s) +
                           Frame(7, 0, 0, std::string(8, '\0')))
                  .ok());
  EXPECT_EQ(recorder.events, (std::vector<std::string>{"ready", "goaway"}));
  EXPECT_EQ(recorder.data, "");
}

TEST(H2ClientTest, RefusesWhatIsNotHttp2) {
  Recorder recorder;
  H2Client client({.authority = "x"}, &recorder);
  EXPECT_FALSE(client.Receive("HTTP/1.1 400 Bad Request\r\n\r\n").ok());
}

TEST(HpackTest, RefusesADynamicTable) {
  EXPECT_FALSE(DecodeResponseHeaders("\xbe").ok());  // index 62
  EXPECT_FALSE(DecodeResponseHeaders("\0\5ab"s).ok());
  const auto headers = DecodeResponseHeaders(
      "\x40\x0bgrpc-status\1"
      "7"s);  // to be indexed
  ASSERT_TRUE(headers.ok());
  EXPECT_EQ(headers->grpc_status, "7");
}

}  // namespace
}  // namespace tidegate::swarm
