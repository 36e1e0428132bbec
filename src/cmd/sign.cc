// `stampede sign`: makes the signed texts of a gateway and of a payment provider, for trying things out and for
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
#include <cstdio>

#include "base/check.h"
#include "base/clock.h"
#include "cmd/flags.h"
#include "cmd/hardening.h"
#include "cmd/input_file.h"
#include "door/opaque_code.h"
#include "door/proof.h"
#include "door/signature.h"
#include "door/ticket.h"
#include "stock/catalog_json.h"

namespace stampede::cmd {
namespace {

constexpr double kTtlMax = 10.0 * 365 * 24 * 3600;
constexpr double kUnixMax = 253'402'300'799;  // the end of 9999

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

int64_t now_unix() {
  return SystemClock().now().wall_ns / kSecond;
}

// One line, or a whole file.
int print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kExitOk;
}

// A key file that the shell made for our output is as open as the umask allows, and serve would
// refuse it.
void make_output_private() {
  struct stat status;
  if (fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode))
    (void)fchmod(STDOUT_FILENO, 0600);
}

int sign_keys() {
  forbid_core_dumps();
  make_output_private();
  return print(door::make_key_file());
}

int sign_ticket(const Flags& flags, const door::Keys& keys) {
  if (keys.tickets.empty())
    return usage_error("sign", "--key-file: " + flags.key_file + " holds no ticket key");
  const door::Key* key =
      flags.key_id.empty() ? &keys.tickets.front() : door::find_key(keys.tickets, flags.key_id);
  if (key == nullptr)
    return usage_error("sign",
                       "--key-id: " + flags.key_file + " holds no ticket key " + flags.key_id);
  std::array<char, door::kTicketBytesMax> room;
  const std::string_view ticket =
      door::mint_ticket(flags.user, now_unix() + flags.ttl_s, *key, room);
  return print(std::string(ticket) + "\n");
}

int sign_proof(const Flags& flags, const door::Keys& keys) {
  const door::Key* const key = door::newest(keys.proofs);
  if (key == nullptr)
    return usage_error("sign", "--key-file: " + flags.key_file + " holds no key under proofs");
  std::array<char, door::kProofBytesMax> room;
  const std::string_view proof =
      door::mint_proof(flags.user, flags.item, now_unix() + flags.ttl_s, *key, room);
  return print(std::string(proof) + "\n");
}

int sign_code(const Flags& flags, const door::Keys& keys) {
  const door::Key* const key = door::newest(keys.codes);
  if (key == nullptr)
    return usage_error("sign", "--key-file: " + flags.key_file + " holds no key under codes");
  return print(door::opaque_code(flags.product, *key) + "\n");
}

int sign_payment(const Flags& flags, const door::Keys& keys) {
  if (keys.payments.empty())
    return usage_error("sign", "--key-file: " + flags.key_file + " holds no payment key");
  const Result<std::string> body = read_file(flags.body, bounds::body_bytes_max);
  if (!body) return usage_error("sign", "--body: " + body.error().message);
  const int64_t at_unix = flags.time_unix == 0 ? now_unix() : flags.time_unix;
  return print(door::make_signature(*body, at_unix, keys.payments.front()) + "\n");
}

std::string refuse_user(const std::string& user) {
  return door::is_user_id(user) ? "" : "expected 1 to 64 visible ASCII characters";
}

std::string refuse_item(const std::string& code) {
  return stock::is_item_code(code) ? "" : "expected 1 to 64 characters of A-Z a-z 0-9 . _ -";
}

std::string refuse_product(const std::string& product) {
  return stock::is_product(product) ? "" : "expected 1 to 64 visible ASCII characters";
}

// By the secrets of the key file.
int run(const Flags& flags, int (*make)(const Flags&, const door::Keys&)) {
  forbid_core_dumps();
  const Result<door::Keys> secrets = read_key_file(flags.key_file);
  return secrets ? make(flags, *secrets)
                 : usage_error("sign", "--key-file: " + secrets.error().message);
}

Flag key_file_flag(Flags& flags) {
  return {.name = "--key-file",
          .unit = "FILE",
          .target = &flags.key_file,
          .help = "named secrets, as `sign keys` prints them",
          .is_required = true};
}

Flag user_flag(Flags& flags) {
  return {.name = "--user",
          .unit = "ID",
          .target = &flags.user,
          .help = "user id, 1 to 64 visible ASCII characters",
          .is_required = true,
          .refuse = refuse_user};
}

Flag ttl_flag(Flags& flags) {
  return {.name = "--ttl",
          .unit = "SECONDS",
          .target = &flags.ttl_s,
          .help = "how long it is valid",
          .bounds = {{1, kTtlMax}},
          .is_required = true};
}

// A subcommand that prints one of these texts.
Command make_command(const std::shared_ptr<Flags>& flags, const char* name, const char* summary,
                     int (*make)(const Flags&, const door::Keys&), std::vector<Flag> own) {
  Command command{.name = std::string("stampede sign ") + name,
                  .summary = summary,
                  .run = [flags, make] { return run(*flags, make); }};
  own.insert(own.begin(), key_file_flag(*flags));
  command.add("", std::move(own));
  return command;
}

Command sign_ticket_command(const std::shared_ptr<Flags>& flags) {
  Command command =
      make_command(flags, "ticket",
                   "print what follows `Bearer ` in a buyer's Authorization header", sign_ticket,
                   {user_flag(*flags),
                    ttl_flag(*flags),
                    {.name = "--key-id",
                     .unit = "ID",
                     .target = &flags->key_id,
                     .help = "ticket key that signs",
                     .absent = "the first of the file"}});
  command.examples = {
      {"curl -H \"Authorization: Bearer $(stampede sign ticket --key-file keys.json --user "
       "alice)\" …",
       "in a request"}};
  command.exits = {{kExitFailure, "the output could not be written"}};
  return command;
}

Command sign_payment_command(const std::shared_ptr<Flags>& flags) {
  Command command = make_command(
      flags, "payment", "print the value of a payment's Stampede-Signature header", sign_payment,
      {{.name = "--body",
        .unit = "FILE",
        .target = &flags->body,
        .help = "file with the exact bytes of the payment's body",
        .is_required = true},
       {.name = "--time",
        .unit = "SECONDS",
        .target = &flags->time_unix,
        .help = "seconds since 1970 that are signed",
        .bounds = {{1, kUnixMax}},
        .absent = "now"}});
  command.examples = {{"stampede sign payment --key-file keys.json --body payment.json",
                       "the very bytes that are sent"}};
  command.exits = {{kExitFailure, "the output could not be written"}};
  return command;
}

Command sign_proof_command(const std::shared_ptr<Flags>& flags) {
  Command command = make_command(
      flags, "proof", "print the value of a Stampede-Proof header, by the newest key", sign_proof,
      {user_flag(*flags),
       ttl_flag(*flags),
       {.name = "--item",
        .unit = "CODE",
        .target = &flags->item,
        .help = "code of the item",
        .is_required = true,
        .refuse = refuse_item}});
  command.examples = {{"stampede sign proof --key-file keys.json --user alice --item ticket",
                       "as a captcha service would"}};
  command.exits = {{kExitFailure, "the output could not be written"}};
  return command;
}

Command sign_code_command(const std::shared_ptr<Flags>& flags) {
  Command command =
      make_command(flags, "code", "print the code of a product, by the newest key", sign_code,
                   {{.name = "--product",
                     .unit = "PRODUCT",
                     .target = &flags->product,
                     .help = "product that the code stands for",
                     .is_required = true,
                     .refuse = refuse_product}});
  command.examples = {
      {"stampede sign code --key-file keys.json --product 4711", "as the catalog shows it"}};
  command.exits = {{kExitFailure, "the output could not be written"}};
  return command;
}

}  // namespace

Command sign() {
  const auto flags = std::make_shared<Flags>();
  Command keys{.name = "stampede sign keys",
               .summary =
                   "print a new key file with random secrets; a file that the output goes to "
                   "is made private",
               .examples = {{"stampede sign keys >keys.json", "a file of mode 0600"}},
               .exits = {{kExitFailure, "the output could not be written"}},
               .run = sign_keys};
  return {.name = "stampede sign",
          .summary = "mint user tickets, payment signatures and key files",
          .about =
              "Mints user tickets, payment signatures, proofs, opaque codes and key files, for "
              "gateways' tests.",
          .subcommands = {std::move(keys), sign_ticket_command(flags), sign_payment_command(flags),
                          sign_proof_command(flags), sign_code_command(flags)}};
}

}  // namespace stampede::cmd
