// `stampede sign`: what a gateway and a payment provider would make, for trying things out and for
// their tests.
//
//   stampede sign keys > keys.json
//   stampede sign ticket --key-file keys.json --user u1 --ttl 3600
//       → Authorization: Bearer <what it prints>
//   stampede sign payment --key-file keys.json --body body.json
//       → Stampede-Signature: <what it prints>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "base/clock.h"
#include "cmd/flags.h"
#include "cmd/input_file.h"
#include "door/signature.h"
#include "door/ticket.h"

namespace stampede::cmd {
namespace {

constexpr int64_t kTtlMax = 10LL * 365 * 24 * 3600;
constexpr int64_t kUnixMax = 253'402'300'799;  // the end of 9999

struct Flags {
  std::string key_file;
  std::string key_id;
  std::string user;
  int64_t ttl_s = 0;
  std::string body;
  int64_t time_unix = 0;  // 0: now
};

int fail(const std::string& message) {
  return usage_error("sign", message);
}

int64_t now_unix() {
  return SystemClock().now().wall_ns / kSecond;
}

// One line, or a whole file, and whether it arrived.
int print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0) return kExitOk;
  std::fprintf(stderr, "stampede sign: standard output: %s\n", std::strerror(errno));
  return kExitFailure;
}

// A key file that the shell made for our output is as open as the umask says, and serve would
// refuse it.
void make_output_private() {
  struct stat status;
  if (fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode))
    (void)fchmod(STDOUT_FILENO, 0600);
}

int sign_keys() {
  make_output_private();
  return print(door::make_key_file());
}

int sign_ticket(const Flags& flags, const door::Keys& keys) {
  if (keys.tickets.empty()) return fail("--key-file: " + flags.key_file + " holds no ticket key");
  const door::Key* key =
      flags.key_id.empty() ? &keys.tickets.front() : door::find_key(keys.tickets, flags.key_id);
  if (key == nullptr)
    return fail("--key-id: " + flags.key_file + " holds no ticket key " + flags.key_id);
  std::array<char, door::kTicketBytesMax> room;
  const std::string_view ticket =
      door::mint_ticket(flags.user, now_unix() + flags.ttl_s, *key, room);
  return print(std::string(ticket) + "\n");
}

int sign_payment(const Flags& flags, const door::Keys& keys) {
  if (keys.payments.empty()) return fail("--key-file: " + flags.key_file + " holds no payment key");
  const Result<std::string> body = read_file(flags.body, bounds::body_bytes_max);
  if (!body) return fail("--body: " + body.error().message);
  const int64_t at_unix = flags.time_unix == 0 ? now_unix() : flags.time_unix;
  return print(door::make_signature(*body, at_unix, keys.payments.front()) + "\n");
}

std::string check_user(const std::string& user) {
  return door::is_user_id(user) ? "" : "expected 1 to 64 visible ASCII characters";
}

void add_key_file(CLI::App& app, Flags& flags) {
  app.add_option("--key-file", flags.key_file, "named secrets, as `sign keys` prints them")
      ->required();
}

void add_ticket_flags(CLI::App& app, Flags& flags) {
  add_key_file(app, flags);
  app.add_option("--user", flags.user, "user id, 1 to 64 visible ASCII characters")
      ->required()
      ->check(check_user);
  app.add_option("--ttl", flags.ttl_s, "seconds that the ticket is valid")
      ->required()
      ->check(CLI::Range(int64_t{1}, kTtlMax))
      ->default_str("");
  app.add_option("--key-id", flags.key_id,
                 "ticket key that signs; the first of the file when not given");
}

void add_payment_flags(CLI::App& app, Flags& flags) {
  add_key_file(app, flags);
  app.add_option("--body", flags.body, "file with the exact bytes of the payment's body")
      ->required();
  app.add_option("--time", flags.time_unix,
                 "seconds since 1970 that are signed; now when not given")
      ->check(CLI::Range(int64_t{1}, kUnixMax));
}

}  // namespace

int sign(Arguments arguments) {
  CLI::App app("Mints user tickets, payment signatures and key files, for gateways' tests.");
  prepare(app, "sign");
  app.require_subcommand(1);
  Flags flags;
  const CLI::App* keys = app.add_subcommand(
      "keys",
      "print a new key file with random secrets; a file that the output goes to is made private");
  CLI::App* ticket = app.add_subcommand(
      "ticket", "print what follows `Bearer ` in a buyer's Authorization header");
  CLI::App* payment =
      app.add_subcommand("payment", "print the value of a payment's Stampede-Signature header");
  add_ticket_flags(*ticket, flags);
  add_payment_flags(*payment, flags);
  if (const auto exit_code = parse(app, arguments)) return *exit_code;

  if (keys->parsed()) return sign_keys();
  const Result<door::Keys> secrets = read_key_file(flags.key_file);
  if (!secrets) return fail("--key-file: " + secrets.error().message);
  return ticket->parsed() ? sign_ticket(flags, *secrets) : sign_payment(flags, *secrets);
}

}  // namespace stampede::cmd
