# `cmake --install`: headers, both libraries, find_package(loquor), pkg-config. Included from capi/CMakeLists.txt.
include(CMakePackageConfigHelpers)

install(FILES ${LQ_CAPI_HEADERS} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT loquor)
install(TARGETS loquor loquor_static EXPORT loquorTargets COMPONENT loquor
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")

set(_lq_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/loquor")
install(EXPORT loquorTargets NAMESPACE loquor:: DESTINATION "${_lq_config_dir}" COMPONENT loquor)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/loquorConfig.cmake.in"
  "${CMAKE_CURRENT_BINARY_DIR}/loquorConfig.cmake" INSTALL_DESTINATION "${_lq_config_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/loquorConfigVersion.cmake"
  VERSION "${PROJECT_VERSION}" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/loquorConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/loquorConfigVersion.cmake"
  DESTINATION "${_lq_config_dir}" COMPONENT loquor)

# ${pcfiledir} keeps the installed tree relocatable.
file(RELATIVE_PATH _lq_pc_to_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" LQ_PC_PREFIX "${_lq_pc_to_prefix}")
list(TRANSFORM LQ_RAG_LIBRARIES PREPEND "-l" OUTPUT_VARIABLE LQ_PC_RAG)
string(JOIN " " LQ_PC_RAG ${LQ_PC_RAG})
foreach(pc loquor loquor-static)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/${pc}.pc.in" "${CMAKE_CURRENT_BINARY_DIR}/${pc}.pc" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${pc}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT loquor)
endforeach()
