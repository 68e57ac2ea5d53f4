#include "failure.h"

#include <tarutil/beneath.h>
#include <tarutil/extract.h>

#include <cerrno>

namespace build::buildlet {

namespace {

int status_of(const tarutil::ExtractError& error) {
  using Kind = tarutil::ExtractErrorKind;
  switch (error.kind()) {
    case Kind::no_space:
      return kInsufficientStorage;
    case Kind::io:
      return 500;
    case Kind::limit:
      return 413;
    default:
      return 400;
  }
}

int status_of(const std::error_code& code) {
  const bool full = code.category() == std::generic_category() && (code.value() == ENOSPC || code.value() == EDQUOT);
  return full ? kInsufficientStorage : 500;
}

}  // namespace

void throw_as_http(const std::exception_ptr& error, const std::string& workdir, const std::string& prefix) {
  try {
    std::rethrow_exception(error);
  } catch (const io::HttpError&) {
    throw;
  } catch (const tarutil::ExtractError& bad) {
    throw io::HttpError(status_of(bad), prefix + bad.what());
  } catch (const tarutil::PathError& bad) {
    throw io::HttpError(status_of(bad.code()), prefix + bad.below(workdir).what());
  } catch (const std::system_error& bad) {
    throw io::HttpError(status_of(bad.code()), prefix + bad.what());
  } catch (const std::exception& bad) {
    throw io::HttpError(500, prefix + bad.what());
  }
}

}  // namespace build::buildlet
