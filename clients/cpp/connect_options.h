// How a client reaches its servers.
#ifndef TIDEGATE_CLIENTS_CPP_CONNECT_OPTIONS_H_
#define TIDEGATE_CLIENTS_CPP_CONNECT_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>

namespace tidegate::client {

// Files are PEM.
struct TlsOptions {
  std::string ca_file;    // whom to trust; empty: whom the system trusts
  std::string cert_file;  // to prove who this client is; with key_file
  std::string key_file;
  std::string server_name;  // in the server's certificate; empty: as addressed
};

struct ConnectOptions {
  // HOST:PORT, or several, separated by commas, that serve the same: when one
  // fails or drains, the next attempt is at the next one. Of a name with
  // several addresses, those are tried that the name has at each attempt.
  std::string server;
  std::optional<TlsOptions> tls;  // without: plaintext
  // Between a stream's attempts: doubles from min to max, each time a random
  // half of it up to the whole; back to min once a response has come.
  int64_t min_backoff_ms = 50;
  int64_t max_backoff_ms = 5'000;
  // How many attempts in a row may fail; 0: any number.
  int max_failed_attempts = 0;
  uint64_t seed = 0;  // of the jitter
};

// How long to wait before attempt number `failures` + 1 (failures >= 1).
// `random` is uniform over 64 bits.
int64_t BackoffMs(int64_t min_ms, int64_t max_ms, int failures,
                  uint64_t random);
// How long to wait where a server has asked for it: at least as long (but of
// ten minutes at most), and up to a quarter more.
int64_t AfterHintMs(int64_t hint_ms, uint64_t random);

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_CONNECT_OPTIONS_H_
