# Programs that need no shared library but glibc's, or none at all: for machines on which nothing can be installed.
#
# Static libraries are taken where Debian has them. It has none of ISA-L (zlib and libdeflate do its work then), and
# libarchive's refers to libraries for formats that are never opened here: what it would call of those is left undefined.
set(XBUILD_SELF_CONTAINED OFF CACHE STRING "Link programs with no shared library but glibc's (glibc), or with none (static)")
set_property(CACHE XBUILD_SELF_CONTAINED PROPERTY STRINGS OFF glibc static)
if(NOT XBUILD_SELF_CONTAINED)
  return()
endif()
if(NOT XBUILD_SELF_CONTAINED MATCHES "^(glibc|static)$")
  message(FATAL_ERROR "XBUILD_SELF_CONTAINED=${XBUILD_SELF_CONTAINED}: it is OFF, glibc or static")
endif()

set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
set(OPENSSL_USE_STATIC_LIBS ON)
set(Boost_USE_STATIC_LIBS ON)
set(XBUILD_PARGZIP_ISAL OFF CACHE STRING "There is no static ISA-L" FORCE)
add_link_options(-static-libstdc++ -static-libgcc -Wl,--gc-sections)
if(XBUILD_SELF_CONTAINED STREQUAL "static")
  add_link_options(-static)
endif()

# What a static libarchive needs for the formats and filters that are opened here.
function(xbuild_complete_libarchive)
  foreach(name zstd z lzma bz2 nettle)
    find_library(XBUILD_STATIC_${name} ${name} REQUIRED)
    set_property(TARGET LibArchive::LibArchive APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${XBUILD_STATIC_${name}})
  endforeach()
  # xar and lz4.
  foreach(symbol xmlCleanupParser xmlFreeTextReader xmlReaderForIO xmlTextReaderConstLocalName xmlTextReaderConstValue
      xmlTextReaderIsEmptyElement xmlTextReaderMoveToFirstAttribute xmlTextReaderMoveToNextAttribute
      xmlTextReaderNodeType xmlTextReaderRead xmlTextReaderSetErrorHandler
      LZ4_decompress_safe LZ4_decompress_safe_usingDict)
    set_property(TARGET LibArchive::LibArchive APPEND PROPERTY INTERFACE_LINK_OPTIONS -Wl,--defsym=${symbol}=0)
  endforeach()
endfunction()
