#include "shard/connection.h"

namespace stampede::shard {
namespace {

door::Address door_address_of(const net::Address& address) {
  switch (address.family) {
    case net::Address::Family::ipv4:
      return door::address_of_ipv4(address.ip.data());
    case net::Address::Family::ipv6:
      return door::address_of_ipv6(address.ip.data());
    case net::Address::Family::unix_path:
      return {};
  }
  CHECK(false);
}

}  // namespace

const door::Address& Connection::peer_address(net::Net& net) {
  if (!has_peer) peer = door_address_of(net.peer_of(socket));
  has_peer = true;
  return peer;
}

}  // namespace stampede::shard
