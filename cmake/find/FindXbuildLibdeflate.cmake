# libdeflate, which in Debian 12 comes without a CMake package: target libdeflate::libdeflate.
find_path(XBUILD_LIBDEFLATE_INCLUDE libdeflate.h)
find_library(XBUILD_LIBDEFLATE_LIBRARY deflate)
mark_as_advanced(XBUILD_LIBDEFLATE_INCLUDE XBUILD_LIBDEFLATE_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XbuildLibdeflate REQUIRED_VARS XBUILD_LIBDEFLATE_LIBRARY XBUILD_LIBDEFLATE_INCLUDE)
if(XbuildLibdeflate_FOUND AND NOT TARGET libdeflate::libdeflate)
  add_library(libdeflate::libdeflate UNKNOWN IMPORTED GLOBAL)
  set_target_properties(libdeflate::libdeflate PROPERTIES IMPORTED_LOCATION ${XBUILD_LIBDEFLATE_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${XBUILD_LIBDEFLATE_INCLUDE})
endif()
