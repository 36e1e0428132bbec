#include "world.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/hash.h"

namespace stampede::world {
namespace {

constexpr size_t kSegmentBytes = 256 * 1024;
constexpr int kOpenFlags = O_WRONLY | O_CLOEXEC;
constexpr BootId kBoot{1, 2};
constexpr ItemId kTicket = 0;

std::string make_scratch_dir() {
  // In memory where there is such a file system.
  std::string path =
      std::string(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/stampede-world-XXXXXX";
  CHECK(::mkdtemp(path.data()) != nullptr);
  return path;
}

orderlog::Manifest make_manifest(uint32_t shards) {
  orderlog::Manifest manifest = orderlog::new_manifest(0, shards, kSegmentBytes);
  // The same users have the same homes in every run.
  manifest.hash_key = HashKey{1, 2, 3};
  return manifest;
}

}  // namespace

int World::SparseMaker::make(const std::string& path, size_t bytes) {
  if (error != 0) return error;
  const orderlog::File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  return ::ftruncate(file.fd(), static_cast<off_t>(bytes)) == 0 ? 0 : errno;
}

// ---- building ----

World::World(const WorldSettings& settings)
    : settings_(settings),
      dir_(make_scratch_dir()),
      manifest_(make_manifest(settings.shards)),
      payment_key_("k1", door::Secret{7}),
      door_key_("d1", door::Secret{8}),
      process_(settings.shards) {
  CHECK(!settings.has_fake_ledger || settings.shards == 1);
  process_.has_database = false;
  auto keys = std::make_shared<door::Keys>();
  keys->payments.push_back(payment_key_);
  keys->links.push_back(door_key_);
  keys->proofs.push_back(door_key_);
  process_.keys.store(std::move(keys));
  process_.keys_number = 1;
  for (uint32_t i = 0; i < settings.shards; ++i)
    hosts_.push_back(std::make_unique<Host>(manifest_.hash_key));
  open_logs();
  log_item();
  for (uint32_t i = 0; i < settings.shards; ++i) make_shard(i);
  make_admin();
  process_.shards_running = settings.shards;
}

World::~World() {
  admin_.reset();
  for (const auto& host : hosts_) {
    host->shard.reset();
    // The power is cut: what is in flight is nobody's any more.
    if (host->writer->is_writing()) {
      if (host->disk.is_writing()) host->disk.complete();
      host->writer->poll(clock.now());
    }
    host->writer.reset();
  }
  keeper_.reset();
  std::filesystem::remove_all(dir_);
}

orderlog::StreamFiles World::files(uint32_t shard) const {
  orderlog::StreamFiles files = orderlog::stream_files(dir_, manifest_, shard);
  files.is_direct = false;
  return files;
}

void World::open_logs() {
  keeper_ = std::make_unique<orderlog::SegmentKeeper>(kOpenFlags, maker_, nullptr);
  for (uint32_t i = 0; i < settings_.shards; ++i) {
    std::filesystem::create_directories(files(i).dir);
    hosts_[i]->segments = &keeper_->add(files(i), 1, 1);
  }
  CHECK(bool(keeper_->open()));
  for (uint32_t i = 0; i < settings_.shards; ++i)
    hosts_[i]->writer =
        std::make_unique<orderlog::Writer>(files(i), orderlog::Position{}, kBoot, hosts_[i]->disk,
                                           *hosts_[i]->segments, *process_.marks[i]);
}

stock::ItemTerms World::terms() const {
  stock::ItemTerms terms;
  terms.id = kTicket;
  terms.code = std::string_view("ticket");
  terms.title = std::string_view("Ticket");
  terms.price = 100;
  terms.currency = {'E', 'U', 'R'};
  terms.per_user_limit = settings_.per_user_limit;
  terms.pay_window_s = settings_.pay_window_s;
  terms.has_hidden_link = settings_.has_hidden_link;
  terms.has_proof = settings_.has_proof;
  terms.enrolled = std::string_view(settings_.enrolled);
  return terms;
}

// As a start does it: what is sold is in the log of the first stream before anything is sold.
void World::log_item() {
  Host& host = *hosts_[0];
  const stock::ItemTerms terms = this->terms();
  for (const orderlog::Record& record :
       {orderlog::Record(stock::record_of(terms)),
        orderlog::Record(orderlog::Supply{.item = kTicket, .supplied = settings_.stock})}) {
    const Lsn lsn = host.writer->append(record);
    CHECK(bool(host.state.apply(record, lsn, clock.now())));
  }
  CHECK(host.writer->start_write(clock.now()));
  CHECK(host.writer->poll(clock.now()));
}

void World::make_shard(uint32_t index) {
  Host& host = *hosts_[index];
  ledger::Book book(settings_.shards);
  const std::vector<StreamCount> nothing(settings_.shards);
  CHECK(book.start(kTicket, settings_.stock, 0, nothing));
  const LedgerNews first_news = book.news_for(index, kTicket);
  if (settings_.has_fake_ledger)
    host.fake_ledger = std::make_unique<FakeLedger>(std::move(book));
  else
    host.embedded =
        std::make_unique<ledger::EmbeddedLedger>(index, process_.ledger, std::move(book));
  ledger::Ledger& ledger =
      host.fake_ledger ? static_cast<ledger::Ledger&>(*host.fake_ledger) : *host.embedded;
  host.catalog.upsert(terms());
  const shard::ShardSettings settings{.shard = index,
                                      .connections = {.shard = index, .connections_max = 1'024},
                                      .api = {.hash_key = manifest_.hash_key},
                                      .desk = {.shard = index,
                                               .shard_count = settings_.shards,
                                               .orders_max = kOrdersMax,
                                               .answers_held_max = 4'096}};
  host.shard =
      std::make_unique<shard::Shard>(settings, process_, clock, host.net, host.disk, *host.writer,
                                     *host.segments, ledger, host.state, host.catalog, 0);
  host.shard->desk().take_news(first_news, clock.now());
  host.listener = host.net.listen();
  host.shard->add_listener(host.listener);
}

void World::make_admin() {
  Host& host = *hosts_[0];
  if (!host.embedded) return;
  admin_ = std::make_unique<shard::Admin>(
      *host.shard, *host.embedded, process_,
      shard::AdminInfo{.hosts = {.names = {settings_.admin_host}}},
      [] { return shard::DrainStatus{}; }, [] { return shard::LedgerStatus{}; });
  admin_listener_ = host.net.listen();
  host.shard->connections().add_listener(admin_listener_,
                                         {.handler = admin_.get(), .is_public = false});
  host.shard->set_turn_hook([this](Moment now) { return admin_->turn(now); });
}

// ---- turning ----

void World::turn(uint32_t shard) {
  Host& host = *hosts_[shard];
  if (host.has_left) return;
  host.has_left = !host.shard->tick();
}

void World::round(int64_t ns) {
  for (uint32_t i = 0; i < settings_.shards; ++i) turn(i);
  (void)keeper_->prepare_some();
  clock.advance(ns);
}

void World::rounds(uint32_t count, int64_t ns) {
  for (; count > 0; --count) round(ns);
}

void World::read_list(std::string_view users) {
  Result<door::UserSet> set = door::UserSet::parse(users, settings_.enrolled, manifest_.hash_key);
  CHECK(bool(set));
  auto enrolments = std::make_shared<door::Enrolments>();
  enrolments->emplace(settings_.enrolled, std::make_shared<const door::UserSet>(std::move(*set)));
  door::Rules rules = *process_.rules.load();
  rules.enrolments = std::move(enrolments);
  (void)process_.publish_rules(std::move(rules));
}

void World::begin_stop() {
  process_.is_stopping.store(true, std::memory_order_release);
  process_.ring_all();
}

Answer World::await_answer(Buyer& buyer) {
  for (int rounds = 0; rounds < 1'000; ++rounds) {
    round();
    if (buyer.has_answer()) break;
  }
  return buyer.take_answer();
}

bool World::have_all_left() const {
  for (const auto& host : hosts_)
    if (!host->has_left) return false;
  return true;
}

// ---- people ----

Buyer& World::connect(uint32_t shard) {
  return *buyers_.emplace_back(
      std::make_unique<Buyer>(hosts_[shard]->net.connect(hosts_[shard]->listener)));
}

Buyer& World::connect_operator() {
  return *buyers_.emplace_back(std::make_unique<Buyer>(hosts_[0]->net.connect(admin_listener_)));
}

std::string World::user_at(uint32_t shard) {
  for (;;) {
    const std::string name = "user-" + std::to_string(++users_);
    const uint64_t hash = keyed_hash(manifest_.hash_key, UserText(std::string_view(name)));
    if (shard_of_slot(slot_of(hash), settings_.shards) == shard) return name;
  }
}

// ---- looking ----

node::RestoredStream World::recover(uint32_t shard) {
  Result<node::RestoredStream> restored = node::restore_stream({.files = files(shard),
                                                                .hash_key = manifest_.hash_key,
                                                                .orders_max = kOrdersMax,
                                                                .boot_id = kBoot,
                                                                .wall_ns = clock.now().wall_ns,
                                                                .witnesses = {},
                                                                .is_read_only = true});
  CHECK(bool(restored));
  CHECK(restored->report.outcome != orderlog::RecoveryOutcome::damaged);
  return std::move(*restored);
}

}  // namespace stampede::world
