{
  # A thin entry for node-gyp: the build is CMake's (CMakeLists.txt), where sources and flags are listed.
  "targets": [
    {
      "target_name": "srrl",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/srrl.node"],
          "action": ["node", "scripts/build-native.mjs", "--force"]
        }
      ]
    }
  ]
}
