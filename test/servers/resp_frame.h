// Where one RESP reply ends and the next begins, for a relay that replaces the nth of them.
// https://redis.io/docs/latest/develop/reference/protocol-spec/
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace stampede::servers {

// The length of the reply that `bytes` begin with; nothing if its end is not yet there.
std::optional<size_t> reply_length(std::string_view bytes);

}  // namespace stampede::servers
