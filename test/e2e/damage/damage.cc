#include "damage.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "../harness/binary.h"

namespace stampede::e2e {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlock = 4096;

using Chance = std::mt19937_64;

size_t below(Chance& chance, size_t bound) {
  return std::uniform_int_distribution<size_t>(0, bound - 1)(chance);
}

// Everything below the directory but its database's side files, which belong to the database.
std::vector<std::string> places_in(const std::string& data) {
  std::vector<std::string> places;
  for (const auto& entry : fs::recursive_directory_iterator(data))
    places.push_back(fs::relative(entry.path(), data));
  std::sort(places.begin(), places.end());
  return places;
}

// The block of a file that is changed: mostly one that holds something, else any.
size_t block_of(const std::string& bytes, Chance& chance) {
  std::vector<size_t> used;
  for (size_t at = 0; at < bytes.size(); at += kBlock)
    if (bytes.find_first_not_of('\0', at) < at + kBlock) used.push_back(at);
  if (!used.empty() && below(chance, 5) != 0) return used[below(chance, used.size())];
  return below(chance, (bytes.size() + kBlock - 1) / kBlock) * kBlock;
}

// One way to damage one place. Returns what was done in words; empty: it cannot be done to that place.
using Way = std::function<std::string(const std::string& path, Chance& chance)>;

std::string flip(const std::string& path, Chance& chance) {
  std::string bytes = read_file(path);
  if (bytes.empty()) return "";
  const size_t block = block_of(bytes, chance);
  const size_t at = block + below(chance, std::min(kBlock, bytes.size() - block));
  const size_t bit = below(chance, 8);
  flip_bit(path, at, static_cast<unsigned>(bit));
  return "bit " + std::to_string(bit) + " of byte " + std::to_string(at) + " is flipped";
}

std::string truncate(const std::string& path, Chance& chance) {
  const size_t size = fs::file_size(path);
  if (size == 0) return "";
  const size_t left = below(chance, size);
  fs::resize_file(path, left);
  return "cut to " + std::to_string(left) + " of " + std::to_string(size) + " bytes";
}

std::string extend(const std::string& path, Chance& chance) {
  std::string bytes = read_file(path);
  const size_t more = 1 + below(chance, 2 * kBlock);
  write_file(path, bytes + std::string(more, static_cast<char>(below(chance, 256))));
  return std::to_string(more) + " bytes are appended";
}

std::string zero(const std::string& path, Chance& chance) {
  std::string bytes = read_file(path);
  if (bytes.empty()) return "";
  const size_t at = block_of(bytes, chance);
  const size_t size = std::min(kBlock, bytes.size() - at);
  bytes.replace(at, size, size, '\0');
  write_file(path, bytes);
  return "the block at byte " + std::to_string(at) + " is zeros";
}

std::string make_empty(const std::string& path, Chance&) {
  write_file(path, "");
  return "is an empty file";
}

std::string remove(const std::string& path, Chance&) {
  fs::remove_all(path);
  return "is gone";
}

std::string make_link(const std::string& path, Chance&) {
  const std::string aside = path + ".aside";
  fs::rename(path, aside);
  fs::create_symlink(fs::path(aside).filename(), path);
  return "is a link to itself under another name";
}

std::string make_directory(const std::string& path, Chance&) {
  fs::remove_all(path);
  fs::create_directory(path);
  return "is an empty directory";
}

std::string make_file(const std::string& path, Chance&) {
  fs::remove_all(path);
  write_file(path, "not a directory\n");
  return "is a file";
}

std::string make_fifo(const std::string& path, Chance&) {
  fs::remove_all(path);
  return ::mkfifo(path.c_str(), 0600) == 0 ? "is a FIFO" : "is gone";
}

std::string make_socket(const std::string& path, Chance&) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) return "";
  path.copy(address.sun_path, path.size());
  fs::remove_all(path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::close(socket);
  return "is a socket";
}

// Of /dev/null, which root may make; others link to it.
std::string make_device(const std::string& path, Chance&) {
  fs::remove_all(path);
  if (::mknod(path.c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) return "is a device";
  fs::create_symlink("/dev/null", path);
  return "is a link to a device";
}

std::string make_circle(const std::string& path, Chance&) {
  fs::remove_all(path);
  fs::create_symlink(fs::path(path).filename(), path);
  return "is a link to itself";
}

// The server's user is not root (damaged_directories.cc).
std::string forbid(const std::string& path, Chance&) {
  fs::permissions(path, fs::perms::none);
  return "may not be read";
}

void replace(const std::string& path, const std::string& by) {
  fs::remove_all(path);
  fs::copy(by, path, fs::copy_options::recursive);
}

std::string take_from(const std::string& place, const std::string& path, const std::string& other,
                      const std::string& name) {
  const std::string from = other + "/" + place;
  if (other.empty() || !fs::exists(from)) return "";
  replace(path, from);
  return "is " + name;
}

class Bench {
 public:
  Bench(const std::string& data, const OtherFiles& others, uint64_t seed)
      : data_(data), others_(others), chance_(seed) {}

  Damage inflict() {
    const std::vector<std::string> places = places_in(data_);
    while (true) {
      const std::string place = places[below(chance_, places.size())];
      const bool is_directory = fs::is_directory(data_ + "/" + place);
      const std::string words = is_directory ? damage_directory(place) : damage_file(place);
      if (words.empty()) continue;
      touched_.push_back(place);
      return {place + " " + words, touched_};
    }
  }

 private:
  std::string damage_file(const std::string& place) {
    static constexpr std::string (*kWays[])(const std::string&, Chance&) = {
        flip,      flip,        flip,        truncate,   extend,         zero,
        zero,      make_empty,  remove,      make_link,  make_directory, forbid,
        make_fifo, make_socket, make_device, make_circle};
    const size_t way = below(chance_, std::size(kWays) + 4);
    const std::string path = data_ + "/" + place;
    if (way < std::size(kWays)) return kWays[way](path, chance_);
    if (way == std::size(kWays))
      return take_from(place, path, others_.foreign, "another directory's");
    if (way == std::size(kWays) + 1) return exchange(place);
    return take_from(place, path, others_.older, "an older copy's");
  }

  std::string damage_directory(const std::string& place) {
    const std::string path = data_ + "/" + place;
    switch (below(chance_, 9)) {
      case 0:
        return remove(path, chance_);
      case 1:
        return make_directory(path, chance_);
      case 2:
        return make_file(path, chance_);
      case 3:
        return take_from(place, path, others_.foreign, "another directory's");
      case 4:
        return exchange(place);
      case 5:
        return forbid(path, chance_);
      case 6:
        return make_fifo(path, chance_);
      case 7:
        return make_circle(path, chance_);
      default:
        return take_from(place, path, others_.older, "an older copy's");
    }
  }

  // With another of its kind: of the same stream, another stream or another generation.
  std::string exchange(const std::string& place) {
    const auto kind_of = [](const std::string& name) {
      const fs::path path(name);
      return path.has_extension() ? path.extension().string()
                                  : path.filename().string().substr(0, 1);
    };
    std::vector<std::string> alike;
    for (const std::string& other : places_in(data_)) {
      const bool is_inside = other.starts_with(place + "/") || place.starts_with(other + "/");
      if (other != place && !is_inside && kind_of(other) == kind_of(place)) alike.push_back(other);
    }
    if (alike.empty()) return "";
    const std::string other = alike[below(chance_, alike.size())];
    const std::string aside = data_ + ".aside";
    fs::rename(data_ + "/" + place, aside);
    fs::rename(data_ + "/" + other, data_ + "/" + place);
    fs::rename(aside, data_ + "/" + other);
    touched_.push_back(other);
    return "is exchanged with " + other;
  }

  const std::string& data_;
  const OtherFiles& others_;
  Chance chance_;
  std::vector<std::string> touched_;
};

}  // namespace

std::string put_in_place(const std::string& path, Kind kind) {
  Chance chance;
  switch (kind) {
    case Kind::directory:
      return make_directory(path, chance);
    case Kind::fifo:
      return make_fifo(path, chance);
    case Kind::socket:
      return make_socket(path, chance);
    case Kind::device:
      return make_device(path, chance);
    case Kind::circle:
      return make_circle(path, chance);
  }
  return "";
}

Damage inflict(const std::string& data, const OtherFiles& others, uint64_t seed) {
  return Bench(data, others, seed).inflict();
}

}  // namespace stampede::e2e
