# ISA-L (libisal), which in Debian 12 comes without a CMake package: target isal::isal.
find_path(XBUILD_ISAL_INCLUDE isa-l/igzip_lib.h)
find_library(XBUILD_ISAL_LIBRARY isal)
mark_as_advanced(XBUILD_ISAL_INCLUDE XBUILD_ISAL_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XbuildIsal REQUIRED_VARS XBUILD_ISAL_LIBRARY XBUILD_ISAL_INCLUDE)
if(XbuildIsal_FOUND AND NOT TARGET isal::isal)
  add_library(isal::isal UNKNOWN IMPORTED GLOBAL)
  set_target_properties(isal::isal PROPERTIES IMPORTED_LOCATION ${XBUILD_ISAL_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${XBUILD_ISAL_INCLUDE})
endif()
