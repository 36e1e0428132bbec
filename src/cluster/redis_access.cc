#include "cluster/redis_access.h"

#include "cluster/redis_client.h"
#include "cluster/redis_link.h"

namespace stampede::cluster {
namespace {

class RealRedis final : public RedisAccess {
 public:
  std::unique_ptr<ScriptCaller> make_caller(const RedisUrl& url, int64_t timeout_ms) override {
    return std::make_unique<RedisClient>(url, timeout_ms);
  }
  std::unique_ptr<ScriptLink> make_link(net::Net& net, uint64_t token,
                                        ScriptLink::Owner& owner) override {
    return std::make_unique<RedisLink>(net, token, owner);
  }
};

}  // namespace

RedisAccess& real_redis() {
  static RealRedis real;
  return real;
}

}  // namespace stampede::cluster
