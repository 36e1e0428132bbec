// `stampede sign`: what a gateway and a payment provider would make, for trying things out and for
// their tests.
//
//   stampede sign keys > keys.json
//   stampede sign ticket --key-file keys.json --user u1 --ttl 3600
//       → Authorization: Bearer <what it prints>
//   stampede sign payment --key-file keys.json --body body.json
//       → Stampede-Signature: <what it prints>
//   stampede sign proof --key-file keys.json --user u1 --item ticket --ttl 60
//       → Stampede-Proof: <what it prints>
//   stampede sign code --key-file keys.json --product 4711
//       → the item's code
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
#include "door/opaque_code.h"
#include "door/proof.h"
#include "door/signature.h"
#include "door/ticket.h"
#include "stock/catalog_json.h"

namespace stampede::cmd {
namespace {

constexpr int64_t kTtlMax = 10LL * 365 * 24 * 3600;
constexpr int64_t kUnixMax = 253'402'300'799;  // the end of 9999

struct Flags {
  std::string key_file;
  std::string key_id;
  std::string user;
  int64_t ttl_s = 0;
  std::string item;
  std::string product;
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

int sign_proof(const Flags& flags, const door::Keys& keys) {
  const door::Key* const key = door::newest(keys.proofs);
  if (key == nullptr) return fail("--key-file: " + flags.key_file + " holds no key under proofs");
  std::array<char, door::kProofBytesMax> room;
  const std::string_view proof =
      door::mint_proof(flags.user, flags.item, now_unix() + flags.ttl_s, *key, room);
  return print(std::string(proof) + "\n");
}

int sign_code(const Flags& flags, const door::Keys& keys) {
  const door::Key* const key = door::newest(keys.codes);
  if (key == nullptr) return fail("--key-file: " + flags.key_file + " holds no key under codes");
  return print(door::opaque_code(flags.product, *key) + "\n");
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

std::string check_item(const std::string& code) {
  return stock::is_item_code(code) ? "" : "expected 1 to 64 characters of A-Z a-z 0-9 . _ -";
}

std::string check_product(const std::string& product) {
  return stock::is_product(product) ? "" : "expected 1 to 64 visible ASCII characters";
}

void add_key_file(CLI::App& app, Flags& flags) {
  app.add_option("--key-file", flags.key_file, "named secrets, as `sign keys` prints them")
      ->required();
}

// Of what is given to a user for a time.
void add_holder_flags(CLI::App& app, Flags& flags) {
  add_key_file(app, flags);
  app.add_option("--user", flags.user, "user id, 1 to 64 visible ASCII characters")
      ->required()
      ->check(check_user);
  app.add_option("--ttl", flags.ttl_s, "seconds that it is valid")
      ->required()
      ->check(CLI::Range(int64_t{1}, kTtlMax))
      ->default_str("");
}

void add_proof_flags(CLI::App& app, Flags& flags) {
  add_holder_flags(app, flags);
  app.add_option("--item", flags.item, "code of the item")->required()->check(check_item);
}

void add_code_flags(CLI::App& app, Flags& flags) {
  add_key_file(app, flags);
  app.add_option("--product", flags.product, "product that the code stands for")
      ->required()
      ->check(check_product);
}

void add_ticket_flags(CLI::App& app, Flags& flags) {
  add_holder_flags(app, flags);
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
  CLI::App app(
      "Mints user tickets, payment signatures, proofs, opaque codes and key files, for gateways' "
      "tests.");
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
  CLI::App* proof =
      app.add_subcommand("proof", "print the value of a Stampede-Proof header, by the newest key");
  CLI::App* code = app.add_subcommand("code", "print the code of a product, by the newest key");
  add_ticket_flags(*ticket, flags);
  add_proof_flags(*proof, flags);
  add_code_flags(*code, flags);
  add_payment_flags(*payment, flags);
  if (const auto exit_code = parse(app, arguments)) return *exit_code;

  if (keys->parsed()) return sign_keys();
  const Result<door::Keys> secrets = read_key_file(flags.key_file);
  if (!secrets) return fail("--key-file: " + secrets.error().message);
  if (proof->parsed()) return sign_proof(flags, *secrets);
  if (code->parsed()) return sign_code(flags, *secrets);
  return ticket->parsed() ? sign_ticket(flags, *secrets) : sign_payment(flags, *secrets);
}

}  // namespace stampede::cmd
