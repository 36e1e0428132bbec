#include "cmd/inputs.h"

#include <sodium.h>

#include "base/words.h"
#include "cmd/input_file.h"

namespace stampede::cmd {
namespace {

constexpr size_t kTokensBytesMax = 64 * 1024;
constexpr size_t kBlockedBytesMax = size_t{1} << 30;

Error of_flag(const char* flag, const Error& error) {
  return Error{std::string(flag) + ": " + error.message};
}

void say(Inputs& inputs, const std::string& words, const std::string& path) {
  inputs.what += (inputs.what.empty() ? "" : ", ") + words + " from " + path;
}

Status read_keys(const std::string& path, Inputs& inputs) {
  if (path.empty()) return Ok{};
  Result<door::Keys> keys = read_key_file(path);
  if (!keys) return of_flag("--key-file", keys.error());
  inputs.keys = std::make_shared<const door::Keys>(std::move(*keys));
  say(inputs, "keys", path);
  return Ok{};
}

Status read_operators(const std::string& path, Inputs& inputs) {
  if (path.empty()) return Ok{};
  const Result<std::string> text = read_private_file(path, kTokensBytesMax);
  if (!text) return of_flag("--admin-token-file", text.error());
  Result<door::Operators> operators = door::Operators::parse(*text, path);
  if (!operators) return of_flag("--admin-token-file", operators.error());
  say(inputs, counted(operators->count(), "operator"), path);
  inputs.operators = std::make_shared<const door::Operators>(std::move(*operators));
  return Ok{};
}

Status read_blocked(const std::string& path, Inputs& inputs) {
  if (path.empty()) return Ok{};
  const Result<std::string> text = read_private_file(path, kBlockedBytesMax);
  if (!text) return of_flag("--blocked", text.error());
  uint64_t seed;
  randombytes_buf(&seed, sizeof seed);
  Result<door::BlockList> blocked = door::parse_block_list(*text, path, seed);
  if (!blocked) return of_flag("--blocked", blocked.error());
  say(inputs, counted(blocked->users(), "user") + " and " + counted(blocked->networks(), "network"),
      path);
  inputs.blocked = std::make_shared<const door::BlockList>(std::move(*blocked));
  return Ok{};
}

}  // namespace

Result<Inputs> read_inputs(const InputPaths& paths) {
  Inputs inputs;
  if (Status keys = read_keys(paths.key_file, inputs); !keys) return keys.error();
  if (Status names = read_operators(paths.admin_token_file, inputs); !names) return names.error();
  if (Status blocked = read_blocked(paths.blocked, inputs); !blocked) return blocked.error();
  return inputs;
}

Result<bool> is_by_ticket(const std::string& auth, const InputPaths& paths, const Inputs& inputs) {
  const bool by_ticket = auth.empty() ? inputs.keys != nullptr : auth == "ticket";
  if (!by_ticket) return false;
  if (inputs.keys == nullptr) return Error{"--auth ticket: needs --key-file"};
  if (inputs.keys->tickets.empty())
    return Error{"--key-file: " + paths.key_file +
                 ": no key under tickets, so no buyer's ticket can be checked; add one (`stampede "
                 "sign keys` prints one), or give --auth header"};
  return true;
}

}  // namespace stampede::cmd
