#include "loadtest/swarm/h2_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "loadtest/swarm/hpack.h"

namespace tidegate::swarm {
namespace {

constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kFrameHeader = 9;
// We allow no more than the default; with some room for header blocks.
constexpr size_t kMaxFrame = 16'384;
constexpr size_t kMaxHeaderBlock = 64u << 10;
constexpr uint32_t kStreamMask = 0x7fffffff;

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
constexpr uint8_t kEndStream = 0x1;  // of kData and kHeaders
constexpr uint8_t kAck = 0x1;        // of kSettings and kPing
constexpr uint8_t kEndHeaders = 0x4;
constexpr uint8_t kPadded = 0x8;
constexpr uint8_t kPriority = 0x20;

enum Setting : uint16_t {
  kHeaderTableSize = 1,
  kEnablePush = 2,
  kMaxConcurrentStreams = 3,
  kInitialWindowSize = 4,
  kMaxFrameSize = 5,
};
constexpr uint32_t kCancel = 8;

void PutU16(std::string* out, uint16_t value) {
  out->push_back(static_cast<char>(value >> 8));
  out->push_back(static_cast<char>(value));
}

void PutU32(std::string* out, uint32_t value) {
  PutU16(out, static_cast<uint16_t>(value >> 16));
  PutU16(out, static_cast<uint16_t>(value));
}

uint32_t U32(absl::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

void PutFrameHeader(std::string* out, size_t size, uint8_t type, uint8_t flags,
                    uint32_t stream) {
  out->push_back(static_cast<char>(size >> 16));
  PutU16(out, static_cast<uint16_t>(size));
  out->push_back(static_cast<char>(type));
  out->push_back(static_cast<char>(flags));
  PutU32(out, stream);
}

void PutU32Frame(std::string* out, uint8_t type, uint32_t stream,
                 uint32_t value) {
  PutFrameHeader(out, 4, type, 0, stream);
  PutU32(out, value);
}

void PutSetting(std::string* out, uint16_t id, uint32_t value) {
  PutU16(out, id);
  PutU32(out, value);
}

// Takes padding and, of headers, a priority off a payload.
absl::Status Unpad(uint8_t flags, bool headers, absl::string_view* payload) {
  size_t padding = 0;
  if ((flags & kPadded) != 0) {
    if (payload->empty()) return absl::DataLossError("frame without padding");
    padding = static_cast<uint8_t>(payload->front());
    payload->remove_prefix(1);
  }
  if (headers && (flags & kPriority) != 0) {
    if (payload->size() < 5) return absl::DataLossError("frame too short");
    payload->remove_prefix(5);
  }
  if (padding > payload->size()) {
    return absl::DataLossError("frame with too much padding");
  }
  payload->remove_suffix(padding);
  return absl::OkStatus();
}

}  // namespace

H2Client::H2Client(H2Options options, Handler* handler)
    : options_(std::move(options)), handler_(handler) {
  absl::StrAppend(&out_, kPreface);
  std::string settings;
  PutSetting(&settings, kHeaderTableSize, 0);
  PutSetting(&settings, kEnablePush, 0);
  PutSetting(&settings, kInitialWindowSize, options_.stream_window);
  PutFrameHeader(&out_, settings.size(), kSettings, 0, 0);
  out_.append(settings);
  if (options_.connection_window > kDefaultWindow) {
    PutU32Frame(&out_, kWindowUpdate, 0,
                options_.connection_window - kDefaultWindow);
  }
}

uint32_t H2Client::Open(absl::string_view path, absl::string_view message,
                        bool stays_open) {
  const uint32_t stream = next_stream_;
  next_stream_ += 2;
  streams_[stream].send_window = initial_send_window_;
  const std::string headers = EncodeCallHeaders(options_.authority, path);
  PutFrameHeader(&out_, headers.size(), kHeaders, kEndHeaders, stream);
  out_.append(headers);
  Enqueue(stream, message, !stays_open);
  return stream;
}

void H2Client::Send(uint32_t stream, absl::string_view message) {
  Enqueue(stream, message, /*ends_stream=*/false);
}

void H2Client::Enqueue(uint32_t stream, absl::string_view message,
                       bool ends_stream) {
  std::string body(1, '\0');  // not compressed
  PutU32(&body, static_cast<uint32_t>(message.size()));
  absl::StrAppend(&body, message);
  unsent_.push_back({stream, std::move(body), ends_stream});
  SendUnsent();
}

void H2Client::SendUnsent() {
  while (!unsent_.empty()) {
    Unsent& next = unsent_.front();
    const auto at = streams_.find(next.stream);
    if (at == streams_.end()) {  // was reset meanwhile
      unsent_.pop_front();
      continue;
    }
    const size_t left = next.bytes.size() - next.sent;
    const int64_t allowed = std::min(send_window_, at->second.send_window);
    const size_t now = std::min<size_t>(
        {left, static_cast<size_t>(std::max<int64_t>(allowed, 0)), max_frame_});
    if (now == 0) return;
    const bool last = now == left;
    PutFrameHeader(&out_, now, kData, last && next.ends_stream ? kEndStream : 0,
                   next.stream);
    out_.append(next.bytes, next.sent, now);
    next.sent += now;
    send_window_ -= static_cast<int64_t>(now);
    at->second.send_window -= static_cast<int64_t>(now);
    if (last) unsent_.pop_front();
  }
}

void H2Client::Reset(uint32_t stream) {
  if (streams_.erase(stream) == 0) return;
  PutU32Frame(&out_, kRstStream, stream, kCancel);
}

void H2Client::Consumed(uint32_t stream, size_t bytes) {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) return;
  size_t& owed = at->second.owed;
  owed += bytes;
  if (owed == 0) return;
  if (!options_.eager_updates && owed < options_.stream_window / 2) return;
  PutU32Frame(&out_, kWindowUpdate, stream, static_cast<uint32_t>(owed));
  owed = 0;
}

absl::Status H2Client::Receive(absl::string_view bytes) {
  if (!in_.empty()) {
    absl::StrAppend(&in_, bytes);
    bytes = in_;
  }
  size_t used = 0;
  while (bytes.size() - used >= kFrameHeader) {
    const absl::string_view head = bytes.substr(used, kFrameHeader);
    const size_t size = U32(head) >> 8;
    if (size > kMaxFrame) {
      return absl::DataLossError(absl::StrCat("frame of ", size, " bytes"));
    }
    if (bytes.size() - used < kFrameHeader + size) break;
    RETURN_IF_ERROR(OnFrame(static_cast<uint8_t>(head[3]),
                            static_cast<uint8_t>(head[4]),
                            U32(head.substr(5)) & kStreamMask,
                            bytes.substr(used + kFrameHeader, size)));
    used += kFrameHeader + size;
  }
  // A string of its own size: there are thousands of connections.
  in_ = std::string(bytes.substr(used));
  return absl::OkStatus();
}

absl::Status H2Client::OnFrame(uint8_t type, uint8_t flags, uint32_t stream,
                               absl::string_view payload) {
  if (block_stream_ != 0 &&
      (type != kContinuation || stream != block_stream_)) {
    return absl::DataLossError("header block interrupted");
  }
  switch (type) {
    case kData:
      return OnDataFrame(flags, stream, payload);
    case kHeaders:
    case kContinuation:
      return OnHeadersFrame(
          type == kHeaders ? flags : static_cast<uint8_t>(flags & kEndHeaders),
          stream, payload);
    case kRstStream:
      if (payload.size() != 4) break;
      End(stream, {2, absl::StrCat("stream reset with code ", U32(payload))});
      return absl::OkStatus();
    case kSettings:
      return OnSettings(flags, payload);
    case kPing:
      if (payload.size() != 8) break;
      if ((flags & kAck) != 0) return absl::OkStatus();
      PutFrameHeader(&out_, 8, kPing, kAck, 0);
      absl::StrAppend(&out_, payload);
      return absl::OkStatus();
    case kGoAway:
      handler_->OnGoAway();
      return absl::OkStatus();
    case kWindowUpdate:
      return OnWindowUpdate(stream, payload);
    default:
      return absl::OkStatus();  // as the RFC asks
  }
  return absl::DataLossError(
      absl::StrCat("frame of type ", type, " with ", payload.size(), " bytes"));
}

absl::Status H2Client::OnDataFrame(uint8_t flags, uint32_t stream,
                                   absl::string_view payload) {
  const size_t counted = payload.size();
  RETURN_IF_ERROR(Unpad(flags, /*headers=*/false, &payload));
  owed_ += counted;
  if (owed_ > 0 &&
      (options_.eager_updates || owed_ >= options_.connection_window / 2)) {
    PutU32Frame(&out_, kWindowUpdate, 0, static_cast<uint32_t>(owed_));
    owed_ = 0;
  }
  if (streams_.count(stream) == 0) return absl::OkStatus();  // was reset
  if (!payload.empty()) handler_->OnData(stream, payload);
  Consumed(stream, counted - payload.size());  // padding
  if ((flags & kEndStream) != 0) {
    End(stream, {2, "the stream ended without trailers"});
  }
  return absl::OkStatus();
}

absl::Status H2Client::OnHeadersFrame(uint8_t flags, uint32_t stream,
                                      absl::string_view payload) {
  if (block_stream_ == 0) {
    RETURN_IF_ERROR(Unpad(flags, /*headers=*/true, &payload));
    block_.clear();
    block_stream_ = stream;
    block_ends_stream_ = (flags & kEndStream) != 0;
  }
  absl::StrAppend(&block_, payload);
  if (block_.size() > kMaxHeaderBlock) {
    return absl::DataLossError("header block too large");
  }
  if ((flags & kEndHeaders) == 0) return absl::OkStatus();
  return OnHeaderBlock();
}

absl::Status H2Client::OnHeaderBlock() {
  const uint32_t stream = std::exchange(block_stream_, 0);
  ASSIGN_OR_RETURN(ResponseHeaders headers, DecodeResponseHeaders(block_));
  if (streams_.count(stream) == 0) return absl::OkStatus();
  if (!block_ends_stream_) {
    handler_->OnHeaders(stream);
    return absl::OkStatus();
  }
  GrpcEnd end;
  end.message = std::move(headers.grpc_message);
  if (!headers.grpc_status.has_value() ||
      !absl::SimpleAtoi(*headers.grpc_status, &end.code)) {
    end = {2,
           absl::StrCat("no grpc-status, HTTP status ", headers.http_status)};
  }
  End(stream, end);
  return absl::OkStatus();
}

absl::Status H2Client::OnSettings(uint8_t flags, absl::string_view payload) {
  if ((flags & kAck) != 0) return absl::OkStatus();
  if (payload.size() % 6 != 0) return absl::DataLossError("broken settings");
  for (; !payload.empty(); payload.remove_prefix(6)) {
    const uint32_t value = U32(payload.substr(2));
    switch (static_cast<uint8_t>(payload[0]) << 8 |
            static_cast<uint8_t>(payload[1])) {
      case kMaxConcurrentStreams:
        max_streams_ = value;
        break;
      case kInitialWindowSize:
        for (auto& [number, stream] : streams_) {
          stream.send_window += int64_t{value} - initial_send_window_;
        }
        initial_send_window_ = value;
        break;
      case kMaxFrameSize:
        max_frame_ = value;
        break;
      default:
        break;
    }
  }
  PutFrameHeader(&out_, 0, kSettings, kAck, 0);
  if (!std::exchange(ready_, true)) handler_->OnReady();
  SendUnsent();
  return absl::OkStatus();
}

absl::Status H2Client::OnWindowUpdate(uint32_t stream,
                                      absl::string_view payload) {
  if (payload.size() != 4) return absl::DataLossError("broken window update");
  const uint32_t more = U32(payload) & kStreamMask;
  if (stream == 0) {
    send_window_ += more;
  } else if (const auto at = streams_.find(stream); at != streams_.end()) {
    at->second.send_window += more;
  }
  SendUnsent();
  return absl::OkStatus();
}

void H2Client::End(uint32_t stream, const GrpcEnd& end) {
  if (streams_.erase(stream) == 0) return;
  handler_->OnEnd(stream, end);
}

}  // namespace tidegate::swarm
