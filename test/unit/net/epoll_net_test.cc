#include "net/epoll_net.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "sockets.h"

using namespace stampede;
using namespace stampede::net;
using namespace stampede::net::test;

namespace {

constexpr uint64_t kToken = 0xfedc'ba98'7654'3210;

// Runs steps in a forked child, because the limit of descriptors belongs to the process; returns
// the number of the first step that failed, 0 for none.
int first_failure_in_child(const std::function<int()>& steps) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(steps());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

// Every descriptor that the process may still open, taken; close some to make room.
std::vector<OwnedSocket> fill_descriptor_table() {
  std::vector<OwnedSocket> fillers;
  fillers.emplace_back(::dup(STDERR_FILENO));
  rlimit descriptors;
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = static_cast<rlim_t>(fillers[0].get()) + 20;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  for (;;) {
    OwnedSocket filler(::dup(STDERR_FILENO));
    if (filler.get() < 0) return fillers;
    fillers.push_back(std::move(filler));
  }
}

// For this thread, as a kernel or a container does that does not know the call.
void refuse_call(unsigned number, int error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = std::size(program), .filter = program};
  REQUIRE(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  REQUIRE(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

// Reads and writes of so many connections together: of some there is nothing to read, some have ended, some were reset.
void move_together(size_t count) {
  EpollNet net;
  std::vector<Connection> connections;
  std::vector<std::array<char, 64>> rooms(count);
  std::vector<Read> reads;
  std::vector<Write> writes;
  std::vector<std::string> texts;
  texts.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    Connection& connection = connections.emplace_back(make_connection(net));
    texts.push_back("text " + std::to_string(i));
    const Socket client = connection.client.get();
    if (i % 2 == 0) send_all(client, texts[i]);
    if (i % 4 == 2) REQUIRE(::shutdown(client, SHUT_WR) == 0);
    if (i % 4 == 3) {
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      ::close(connection.client.release());
    }
    reads.push_back({.socket = connection.server.get(), .into = rooms[i]});
    writes.push_back({.socket = connection.server.get(), .from = texts[i]});
  }
  net.read_all(reads);
  for (size_t i = 0; i < count; ++i) {
    CAPTURE(i);
    const Io& io = reads[i].io;
    if (i % 2 == 0) {
      CHECK(io.status == Io::Status::ok);
      CHECK(std::string_view(rooms[i].data(), io.bytes) == texts[i]);
    } else {
      CHECK(io.status == (i % 4 == 1 ? Io::Status::would_block : Io::Status::closed));
      CHECK(io.bytes == 0);
    }
  }
  CHECK(net.counters().reads == count);
  net.read_all(reads);
  for (size_t i = 2; i < count; i += 4) CHECK(reads[i].io.status == Io::Status::closed);
  net.write_all(writes);
  for (size_t i = 0; i < count; ++i) {
    CAPTURE(i);
    CHECK(writes[i].io.status == (i % 4 == 3 ? Io::Status::closed : Io::Status::ok));
    if (i % 4 == 3) continue;
    char room[64];
    const ssize_t bytes = ::recv(connections[i].client.get(), room, sizeof room, 0);
    CHECK(std::string_view(room, static_cast<size_t>(std::max<ssize_t>(bytes, 0))) == texts[i]);
  }
  CHECK(net.counters().writes == count);
}

bool is_closed_by_peer(Socket client) {
  char byte;
  return ::recv(client, &byte, 1, 0) <= 0;
}

}  // namespace

TEST_SUITE("net/epoll_net") {
  TEST_CASE("an accepted socket neither blocks nor delays nor leaks into children") {
    EpollNet net;
    const Connection connection = make_connection(net);
    CHECK((::fcntl(connection.server.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(connection.server.get(), F_GETFD) & FD_CLOEXEC) != 0);
    int no_delay = 0;
    socklen_t bytes = sizeof no_delay;
    REQUIRE(::getsockopt(connection.server.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &bytes) ==
            0);
    CHECK(no_delay != 0);
    CHECK(net.counters().accepted == 1);
  }

  TEST_CASE("accept without a client says none") {
    EpollNet net;
    const OwnedSocket listener = open_listener();
    CHECK(net.accept(listener.get()).status == Accepted::Status::none);
  }

  TEST_CASE("the peer's address is the client's own") {
    EpollNet net;
    Connection connection = make_connection(net);
    CHECK(net.peer_of(connection.server.get()) == address_of(connection.client.get()));
  }

  TEST_CASE("an event carries all 64 bits of its token") {
    EpollNet net;
    const Connection connection = make_connection(net);
    REQUIRE(net.watch(connection.server.get(), kToken, Interest::read));
    send_all(connection.client.get(), "x");
    const std::optional<Event> event = await_event(net);
    REQUIRE(event);
    CHECK(event->token == kToken);
    CHECK(event->readable);
    CHECK_FALSE(event->writable);
    CHECK_FALSE(event->half_closed);
    CHECK_FALSE(event->broken);
  }

  TEST_CASE("a changed watch has the new token and the new interest") {
    EpollNet net;
    const Connection connection = make_connection(net);
    REQUIRE(net.watch(connection.server.get(), 1, Interest::read));
    net.rewatch(connection.server.get(), 2, Interest::write);
    send_all(connection.client.get(), "x");
    const std::optional<Event> event = await_event(net);
    REQUIRE(event);
    CHECK(event->token == 2);
    CHECK(event->writable);
    CHECK_FALSE(event->readable);
  }

  TEST_CASE("input is reported until it is read") {
    EpollNet net;
    const Connection connection = make_connection(net);
    REQUIRE(net.watch(connection.server.get(), 1, Interest::read));
    send_all(connection.client.get(), "xy");
    REQUIRE(await_event(net));
    char byte;
    CHECK(net.read(connection.server.get(), {&byte, 1}).bytes == 1);
    CHECK(net.poll(0).size() == 1);
    CHECK(net.read(connection.server.get(), {&byte, 1}).bytes == 1);
    CHECK(net.poll(0).empty());
    CHECK(net.read(connection.server.get(), {&byte, 1}).status == Io::Status::would_block);
  }

  TEST_CASE("without interest or without a watch nothing is told of input") {
    EpollNet net;
    const Connection connection = make_connection(net);
    send_all(connection.client.get(), "x");
    REQUIRE(net.watch(connection.server.get(), 1, Interest::none));
    CHECK(net.poll(0).empty());
    net.rewatch(connection.server.get(), 1, Interest::read);
    CHECK(net.poll(0).size() == 1);
    net.unwatch(connection.server.get());
    CHECK(net.poll(0).empty());
  }

  TEST_CASE("one poll tells of at most events_per_turn_max sockets and the next ones of the rest") {
    EpollNet net;
    std::vector<OwnedSocket> sockets;
    constexpr size_t count = bounds::events_per_turn_max + 3;
    for (size_t i = 0; i < count; ++i) {
      sockets.emplace_back(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
      REQUIRE(net.watch(sockets.back().get(), i, Interest::read));
    }
    std::vector<bool> seen(count);
    const std::span<const Event> first = net.poll(kPatienceNs);
    CHECK(first.size() == bounds::events_per_turn_max);
    for (const Event& event : first) seen[event.token] = true;
    for (const Event& event : net.poll(kPatienceNs)) seen[event.token] = true;
    CHECK(std::count(seen.begin(), seen.end(), true) == count);
    CHECK(net.counters().events == 2 * bounds::events_per_turn_max);
  }

  TEST_CASE("a wait ends without events when its time is over") {
    EpollNet net;
    CHECK(net.poll(1).empty());
    CHECK(net.poll(2 * kMillisecond).empty());
    CHECK(net.poll(0).empty());
  }

  TEST_CASE("where the kernel refuses waits of nanoseconds they are of milliseconds") {
    for (const int error : {EPERM, ENOSYS}) {
      // A filter holds for the thread that sets it.
      std::thread([error] {
        refuse_call(SYS_epoll_pwait2, error);
        EpollNet net;
        CHECK(net.poll(1).empty());
        CHECK(net.poll(2 * kMillisecond).empty());
        const Connection connection = make_connection(net);
        REQUIRE(net.watch(connection.server.get(), 1, Interest::read));
        send_all(connection.client.get(), "x");
        CHECK(net.poll(kPatienceNs).size() == 1);
        CHECK(net.poll(INT64_MAX).size() == 1);
        CHECK(net.poll(-1).size() == 1);
      }).join();
    }
  }

  TEST_CASE("connections beyond the budget are told apart and a closed one makes room") {
    DescriptorBudget budget(2, 1);
    EpollNet net(&budget);
    const OwnedSocket listener = open_listener(), operators = open_listener();
    net.prefer(operators.get());
    std::vector<OwnedSocket> clients;
    const auto connect = [&](const OwnedSocket& to) {
      clients.push_back(connect_to(address_of(to.get())));
      return net.accept(to.get());
    };
    const Accepted first = connect(listener);
    const Accepted second = connect(listener);
    CHECK(second.status == Accepted::Status::accepted);
    CHECK(!second.is_beyond);
    const Accepted third = connect(listener);
    CHECK(third.status == Accepted::Status::accepted);
    CHECK(third.is_beyond);
    CHECK(third.has_spare);
    CHECK(budget.open() == 3);
    net.reset(third.socket);
    CHECK(is_closed_by_peer(clients.back().get()));
    CHECK(budget.open() == 2);
    const Accepted preferred = connect(operators);
    CHECK(!preferred.is_beyond);
    const Accepted crowded = connect(operators);
    CHECK(crowded.is_beyond);
    CHECK(!crowded.has_spare);
    net.close(crowded.socket);
    net.close(first.socket);
    net.reset(second.socket);
    CHECK(budget.open() == 1);
    const Accepted again = connect(listener);
    CHECK(!again.is_beyond);
    net.limit_connections(1);
    const Accepted fewer = connect(listener);
    CHECK(fewer.is_beyond);
    net.close(fewer.socket);
    net.close(again.socket);
    net.close(preferred.socket);
    CHECK(budget.open() == 0);
  }

  TEST_CASE("sockets of a better rank are told of before all others") {
    EpollNet net;
    const Connection usual = make_connection(net), second = make_connection(net),
                     first = make_connection(net);
    REQUIRE(net.watch(usual.server.get(), 1, Interest::read));
    REQUIRE(net.watch(second.server.get(), 2, Interest::read));
    REQUIRE(net.watch(first.server.get(), 3, Interest::read));
    net.set_rank(first.server.get(), 13, Interest::read, Rank::first);
    net.set_rank(second.server.get(), 12, Interest::read, Rank::second);
    for (const Connection* one : {&usual, &second, &first}) send_all(one->client.get(), "x");
    const std::span<const Event> events = net.poll(kPatienceNs);
    REQUIRE(events.size() == 3);
    CHECK(events[0].token == 13);
    CHECK(events[1].token == 12);
    CHECK(events[2].token == 1);
    net.set_rank(first.server.get(), 3, Interest::read, Rank::usual);
    REQUIRE(net.poll(kPatienceNs).size() == 3);
    CHECK(net.poll(kPatienceNs)[0].token == 12);
    net.rewatch(second.server.get(), 22, Interest::none);
    CHECK(net.poll(kPatienceNs).size() == 2);
    net.unwatch(second.server.get());
    REQUIRE(net.watch(second.server.get(), 32, Interest::read));
    CHECK(net.poll(kPatienceNs)[0].token == 32);
  }

  TEST_CASE(
      "a socket of a better rank is told of in the first poll however many others are ready") {
    EpollNet net;
    std::vector<Connection> usual;
    for (uint32_t i = 0; i < bounds::events_per_turn_max + 8; ++i) {
      usual.push_back(make_connection(net));
      REQUIRE(net.watch(usual.back().server.get(), 1, Interest::read));
      send_all(usual.back().client.get(), "x");
    }
    Connection payer = make_connection(net);
    REQUIRE(net.watch(payer.server.get(), 2, Interest::read));
    net.set_rank(payer.server.get(), 2, Interest::read, Rank::first);
    send_all(payer.client.get(), "x");
    CHECK(net.poll(kPatienceNs)[0].token == 2);
  }

  TEST_CASE("what comes to a socket of a better rank while the net sleeps is told at once") {
    EpollNet net;
    Connection connection = make_connection(net);
    REQUIRE(net.watch(connection.server.get(), 1, Interest::read));
    net.set_rank(connection.server.get(), 1, Interest::read, Rank::first);
    const std::string state_file = "/proc/self/task/" + std::to_string(::gettid()) + "/stat";
    std::thread client([&] {
      const auto sleeps = [&] {
        std::ifstream file(state_file);
        std::string line;
        std::getline(file, line);
        const size_t name_end = line.rfind(") ");
        return name_end != std::string::npos && line[name_end + 2] == 'S';
      };
      while (!sleeps()) std::this_thread::yield();
      send_all(connection.client.get(), "x");
    });
    const std::span<const Event> events = net.poll(-1);
    CHECK(events.size() == 1);
    client.join();
  }

  TEST_CASE("a socket of a better rank ends a sleep and one that is closed is forgotten") {
    EpollNet net;
    Connection connection = make_connection(net);
    const Socket server = connection.server.get();
    REQUIRE(net.watch(server, 1, Interest::read));
    net.set_rank(server, 1, Interest::read, Rank::first);
    CHECK(net.poll(1).empty());
    send_all(connection.client.get(), "x");
    const std::span<const Event> events = net.poll(-1);
    REQUIRE(events.size() == 1);
    CHECK(events[0].readable);
    net.close(connection.server.release());
    CHECK(net.poll(1).empty());
  }

  TEST_CASE("a signal ends a wait without events") {
    struct sigaction quiet {
    }, before{};
    quiet.sa_handler = [](int) {};
    REQUIRE(::sigaction(SIGALRM, &quiet, &before) == 0);
    const itimerval every_10_ms{.it_interval = {.tv_sec = 0, .tv_usec = 10'000},
                                .it_value = {.tv_sec = 0, .tv_usec = 10'000}};
    const itimerval never{};
    EpollNet net;
    REQUIRE(::setitimer(ITIMER_REAL, &every_10_ms, nullptr) == 0);
    CHECK(net.poll(-1).empty());
    REQUIRE(::setitimer(ITIMER_REAL, &never, nullptr) == 0);
    REQUIRE(::sigaction(SIGALRM, &before, nullptr) == 0);
  }

  TEST_CASE("a message larger than the socket's buffer arrives whole through short writes") {
    EpollNet net;
    const Connection connection = make_connection(net);
    const int minimal = 1;  // the kernel rounds up to its minimum
    REQUIRE(::setsockopt(connection.server.get(), SOL_SOCKET, SO_SNDBUF, &minimal,
                         sizeof minimal) == 0);
    std::string sent(300'000, '\0');
    for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 % 251);

    constexpr uint64_t client = 1, server = 2;
    REQUIRE(net.watch(connection.client.get(), client, Interest::read));
    REQUIRE(net.watch(connection.server.get(), server, Interest::write));
    std::string received;
    char piece[701];
    size_t written = 0;
    while (received.size() < sent.size()) {
      const std::optional<Event> event = await_event(net);
      REQUIRE(event);
      if (event->token == client) {
        const Io io = net.read(connection.client.get(), piece);
        received.append(piece, io.bytes);
      } else {
        const Io io = net.write(connection.server.get(), std::span(sent).subspan(written));
        REQUIRE((io.bytes > 0) == (io.status == Io::Status::ok));
        written += io.bytes;
        if (written == sent.size()) net.rewatch(connection.server.get(), server, Interest::none);
      }
    }
    CHECK(received == sent);
    CHECK(net.counters().writes_short > 0);
    CHECK(net.counters().bytes_written == sent.size());
  }

  TEST_CASE("many sockets are read and written together and each has its own outcome") {
    for (const size_t count : {size_t{1}, size_t{7}, size_t{300}}) move_together(count);
  }

  TEST_CASE("where the kernel refuses io_uring they are read and written one by one") {
    for (const int error : {ENOSYS, EPERM})
      std::thread([error] {
        refuse_call(SYS_io_uring_setup, error);
        move_together(20);
      }).join();
  }

  TEST_CASE("a write together with others that does not fit is short and then would block") {
    EpollNet net;
    std::vector<Connection> connections;
    for (int i = 0; i < 5; ++i) connections.push_back(make_connection(net));
    const std::string large(8 * 1024 * 1024, 'x');
    std::vector<Write> writes;
    for (const Connection& connection : connections)
      writes.push_back({.socket = connection.server.get(), .from = large});
    net.write_all(writes);
    for (const Write& one : writes) {
      CHECK(one.io.status == Io::Status::ok);
      CHECK(one.io.bytes < large.size());
    }
    CHECK(net.counters().writes_short == 5);
    // What is left of a window is filled.
    for (int tries = 0; tries < 100; ++tries) net.write_all(writes);
    for (const Write& one : writes) CHECK(one.io.status == Io::Status::would_block);
  }

  TEST_CASE("a client that stops sending is told as half closed and still gets its answer") {
    EpollNet net;
    Connection connection = make_connection(net);
    const Socket server = connection.server.release();
    REQUIRE(net.watch(server, 1, Interest::read));
    send_all(connection.client.get(), "ask");
    REQUIRE(::shutdown(connection.client.get(), SHUT_WR) == 0);
    std::optional<Event> event = await_event(net);
    while (event && !event->half_closed) event = await_event(net);
    REQUIRE(event);
    CHECK_FALSE(event->broken);
    char input[8];
    CHECK(net.read(server, input).bytes == 3);
    CHECK(net.read(server, input).status == Io::Status::closed);
    CHECK(net.write(server, std::string("answer")).bytes == 6);
    net.close(server);
    char answer[8];
    CHECK(::recv(connection.client.get(), answer, sizeof answer, 0) == 6);
    CHECK(::recv(connection.client.get(), answer, sizeof answer, 0) == 0);
  }

  TEST_CASE("a half close does not wake a connection that is not being read") {
    EpollNet net;
    const Connection connection = make_connection(net);
    REQUIRE(net.watch(connection.server.get(), 1, Interest::read));
    REQUIRE(::shutdown(connection.client.get(), SHUT_WR) == 0);
    REQUIRE(await_event(net));  // it has arrived
    net.rewatch(connection.server.get(), 1, Interest::none);
    CHECK(net.poll(0).empty());
    net.rewatch(connection.server.get(), 1, Interest::write);
    const std::span<const Event> events = net.poll(0);
    REQUIRE(events.size() == 1);
    CHECK(events[0].writable);
    CHECK_FALSE(events[0].half_closed);
  }

  TEST_CASE("a reset is told whatever the interest and reads and writes as closed") {
    for (const Interest interest :
         {Interest::none, Interest::read, Interest::write, Interest::read_write}) {
      EpollNet net;
      Connection connection = make_connection(net);
      REQUIRE(net.watch(connection.server.get(), 1, Interest::none));
      net.reset(connection.client.release());
      REQUIRE(await_event(net));
      net.rewatch(connection.server.get(), 1, interest);
      const std::optional<Event> event = await_event(net);
      REQUIRE(event);
      CHECK(event->broken);
      char input[8];
      CHECK(net.read(connection.server.get(), input).status == Io::Status::closed);
      CHECK(net.write(connection.server.get(), std::string("late")).status == Io::Status::closed);
    }
  }

  TEST_CASE("writing to a client that is gone says closed and raises no signal") {
    EpollNet net;
    Connection connection = make_connection(net);
    connection.client = OwnedSocket();
    REQUIRE(net.watch(connection.server.get(), 1, Interest::none));
    CHECK(net.write(connection.server.get(), std::string("first")).status == Io::Status::ok);
    const std::optional<Event> event = await_event(net);  // the reset that answers it
    REQUIRE(event);
    CHECK(event->broken);
    CHECK(net.write(connection.server.get(), std::string("second")).status == Io::Status::closed);
    CHECK(net.write(connection.server.get(), std::string("third")).status == Io::Status::closed);
    CHECK(net.peer_of(connection.server.get()) == Address{});
    net.shut_down_write(connection.server.get());  // the peer was faster: no complaint
  }

  TEST_CASE("after shut down of writing the client reads the end and the server still reads") {
    EpollNet net;
    const Connection connection = make_connection(net);
    CHECK(net.write(connection.server.get(), std::string("bye")).bytes == 3);
    net.shut_down_write(connection.server.get());
    char text[8];
    CHECK(::recv(connection.client.get(), text, sizeof text, 0) == 3);
    CHECK(::recv(connection.client.get(), text, sizeof text, 0) == 0);
    REQUIRE(net.watch(connection.server.get(), 1, Interest::read));
    send_all(connection.client.get(), "rest");
    REQUIRE(await_event(net));
    CHECK(net.read(connection.server.get(), text).bytes == 4);
  }

  TEST_CASE("a reset drops what was not read and the client learns it at once") {
    EpollNet net;
    Connection connection = make_connection(net);
    net.reset(connection.server.release());
    char byte;
    CHECK(::recv(connection.client.get(), &byte, 1, 0) == -1);
    CHECK(errno == ECONNRESET);
  }

  TEST_CASE("closing ends the watch") {
    EpollNet net;
    Connection connection = make_connection(net);
    REQUIRE(net.watch(connection.server.get(), 1, Interest::write));
    CHECK(net.poll(0).size() == 1);
    net.close(connection.server.release());
    CHECK(net.poll(0).empty());
  }

  TEST_CASE("a full descriptor table sheds clients instead of spinning and recovers") {
    EpollNet net;
    const OwnedSocket listener = open_listener();
    const Address address = address_of(listener.get());
    REQUIRE(net.watch(listener.get(), 1, Interest::read));
    std::vector<OwnedSocket> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(connect_to(address));

    const auto steps = [&] {
      std::vector<OwnedSocket> fillers = fill_descriptor_table();
      // What would happen without the reserve: no client is accepted and epoll tells of them for
      // ever.
      if (::accept(listener.get(), nullptr, nullptr) != -1 || errno != EMFILE) return 1;
      if (net.poll(0).size() != 1) return 2;
      for (const OwnedSocket& client : clients) {
        if (net.accept(listener.get()).status != Accepted::Status::shed) return 3;
        if (!is_closed_by_peer(client.get())) return 4;
      }
      if (net.accept(listener.get()).status != Accepted::Status::none) return 5;
      if (!net.poll(0).empty()) return 6;
      if (net.counters().accepts_shed != 3) return 7;
      fillers.resize(fillers.size() - 2);
      const OwnedSocket client = connect_to(address);
      if (net.accept(listener.get()).status != Accepted::Status::accepted) return 8;
      return 0;
    };
    CHECK(first_failure_in_child(steps) == 0);
  }

  TEST_CASE("without descriptor and reserve accept says exhausted until there is room again") {
    const OwnedSocket listener = open_listener();
    const OwnedSocket client = connect_to(address_of(listener.get()));
    const OwnedSocket second_client = connect_to(address_of(listener.get()));

    const auto steps = [&] {
      std::vector<OwnedSocket> fillers = fill_descriptor_table();
      fillers.resize(fillers.size() - 3);
      EpollNet net;  // takes the last descriptors for its epolls: none is left for the reserve
      if (net.accept(listener.get()).status != Accepted::Status::exhausted) return 1;
      if (net.accept(listener.get()).status != Accepted::Status::exhausted) return 2;
      if (net.counters().accepts_exhausted != 2) return 3;
      fillers.resize(fillers.size() - 2);  // for the reserve and one client
      if (net.accept(listener.get()).status != Accepted::Status::accepted) return 4;
      if (net.accept(listener.get()).status != Accepted::Status::shed) return 5;
      return 0;
    };
    CHECK(first_failure_in_child(steps) == 0);
  }
}
