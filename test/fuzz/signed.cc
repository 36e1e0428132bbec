// What is signed: tickets, payments, links and proofs. No mutation finds a valid signature, so half of the inputs are signed here.
//
// 1. What is accepted is exactly what would be issued: there is one spelling of a ticket, so it can be blocked by its text.
// 2. A signature holds for its bytes alone: one bit of the text, the body or the mac changed, and it is refused.
#include <array>
#include <string>
#include <vector>

#include "base/base64url.h"
#include "door/link.h"
#include "door/proof.h"
#include "door/signature.h"
#include "door/ticket.h"
#include "promise.h"

namespace stampede::door {
namespace {

using fuzz::require;

constexpr int64_t kNow = 1'795'000'000;

const std::vector<Key>& keys() {
  static const std::vector<Key> keys = {Key("k1", Secret{1}), Key("k-2", Secret{2})};
  return keys;
}

std::string mac_text(const Mac& mac) {
  std::string text(base64url_chars(mac.size()), '\0');
  render_base64url(mac, text);
  return text;
}

void flip_each_bit(const std::string& text, auto is_accepted) {
  for (size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string other = text;
    other[bit / 8] ^= static_cast<char>(1 << bit % 8);
    require(!is_accepted(other), "one bit changed, and still accepted");
  }
}

// The parts of a ticket in front of its mac, whatever they are, signed by the key that they name or by the first.
std::string sign_ticket(const std::string& front) {
  const size_t dot = front.rfind('.');
  const Key* key = find_key(keys(), dot == front.npos ? front : front.substr(dot + 1));
  if (key == nullptr) key = keys().data();
  const std::string_view parts[] = {front};
  return front + "." + mac_text(key->sign(parts));
}

void try_ticket(const std::string& ticket, bool flips) {
  const std::optional<UserText> user = verify_ticket(ticket, keys(), kNow);
  if (!user) return;
  require(is_user_id(*user), "a user id within its bounds");
  // v1.USER.EXPIRES.KEY.MAC: what is accepted must be what mint_ticket() writes.
  const size_t mac_dot = ticket.rfind('.'), key_dot = ticket.rfind('.', mac_dot - 1),
               time_dot = ticket.rfind('.', key_dot - 1);
  const Key* const key = find_key(keys(), ticket.substr(key_dot + 1, mac_dot - key_dot - 1));
  require(key != nullptr, "a key of the file");
  const int64_t expires = std::stoll(ticket.substr(time_dot + 1, key_dot - time_dot - 1));
  require(expires > kNow, "not expired");
  std::array<char, kTicketBytesMax> out;
  require(mint_ticket(*user, expires, *key, out) == ticket, "one spelling of a ticket");
  if (flips)
    flip_each_bit(ticket, [](const std::string& other) {
      return verify_ticket(other, keys(), kNow).has_value();
    });
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// The rest is `HEADER\nBODY`.
void try_signature(const std::string& rest, bool flips) {
  const size_t line = rest.find('\n');
  const std::string header = rest.substr(0, line);
  const std::string body = line == rest.npos ? "" : rest.substr(line + 1);
  (void)verify_signature(header, body, keys(), kNow);
  const std::string made = make_signature(body, kNow, keys()[1]);
  require(verify_signature(made, body, keys(), kNow), "what was signed is accepted");
  require(!verify_signature(made, body + "x", keys(), kNow), "another body is refused");
  require(!verify_signature(made, body, keys(), kNow + bounds::signature_skew_s_max + 1),
          "an old one is refused");
  if (flips)
    flip_each_bit(made, [&](const std::string& other) {
      // The case of a hexadecimal digit is one bit and says nothing.
      return lower(other) != made && verify_signature(other, body, keys(), kNow);
    });
}

// The last parts of a link or proof in front of its mac, `EXPIRES.KEY`: the key, or the first one.
const Key& named_key(const std::string& front) {
  const size_t dot = front.rfind('.');
  const Key* const key = dot == front.npos ? nullptr : find_key(keys(), front.substr(dot + 1));
  return key == nullptr ? keys()[0] : *key;
}

// The rest is `USER\nITEM\nTOKEN`: whatever is accepted as a link is what would be given out, for this user and item alone.
void try_link(const std::string& rest, bool flips) {
  const size_t first = rest.find('\n'), second = rest.find('\n', first + 1);
  if (first == rest.npos || second == rest.npos) return;
  const std::string user = rest.substr(0, first), item = rest.substr(first + 1, second - first - 1),
                    token = rest.substr(second + 1);
  (void)verify_link(token, user, item, keys(), kNow);
  (void)verify_proof(token, user, item, keys(), kNow);
  if (!is_user_id(user) || item.empty() || item.size() > bounds::item_code_bytes_max) return;
  const int64_t expires = kNow + 1 + static_cast<int64_t>(token.size() % 100);
  std::array<char, kLinkBytesMax> out;
  const std::string link(mint_link(user, item, expires, named_key(token), out));
  require(verify_link(link, user, item, keys(), kNow), "a link that was given is accepted");
  require(!verify_link(link, user, item, keys(), expires), "an expired one is refused");
  require(!verify_link(link, user + "x", item, keys(), kNow), "another user's is refused");
  require(!verify_link(link, user, item + "x", keys(), kNow), "another item's is refused");
  if (flips)
    flip_each_bit(link, [&](const std::string& other) {
      return verify_link(other, user, item, keys(), kNow);
    });
}

}  // namespace
}  // namespace stampede::door

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace stampede;
  const fuzz::Input input(data, size);
  const bool flips = input.choice >= 252;
  switch (input.choice % 4) {
    case 0:
      door::try_ticket(input.rest, flips);
      break;
    case 1:
      door::try_ticket(door::sign_ticket(input.rest), flips);
      break;
    case 2:
      door::try_signature(input.rest, flips);
      break;
    default:
      door::try_link(input.rest, flips);
  }
  return 0;
}
