# How somebody who links an installed library finds what it stands on. For each target that a part names in USES or
# PRIVATE: what its users give to find_package(), and, where a published library uses it, its pkg-config module.
# -pthread is a flag instead of a module.

function(xbuild_package target find)
  cmake_parse_arguments(PACKAGE "" "MODULE;FLAG" "" ${ARGN})
  set_property(GLOBAL PROPERTY XBUILD_FIND_${target} "${find}")
  set_property(GLOBAL PROPERTY XBUILD_MODULE_${target} "${PACKAGE_MODULE}")
  set_property(GLOBAL PROPERTY XBUILD_FLAG_${target} "${PACKAGE_FLAG}")
endfunction()

xbuild_package(Boost::headers "Boost 1.81")
xbuild_package(Boost::program_options "Boost 1.81 COMPONENTS program_options")
xbuild_package(LibArchive::LibArchive "LibArchive" MODULE libarchive)
xbuild_package(cmark-gfm::cmark-gfm "XbuildCmarkGfm")
xbuild_package(isal::isal "XbuildIsal" MODULE libisal)
xbuild_package(libdeflate::libdeflate "XbuildLibdeflate" MODULE libdeflate)
xbuild_package(OpenSSL::Crypto "OpenSSL")
xbuild_package(OpenSSL::SSL "OpenSSL")
xbuild_package(SQLite::SQLite3 "SQLite3")
xbuild_package(Threads::Threads "Threads" FLAG -pthread)
xbuild_package(tomlplusplus::tomlplusplus "tomlplusplus")
xbuild_package(ZLIB::ZLIB "ZLIB" MODULE zlib)
