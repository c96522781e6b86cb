// SPDX-License-Identifier: GPL-3.0-or-later
// Flamenco job type: an animation rendered and stylized in parts, then brought together. See docs/farms.md.
"use strict";

const JOB_TYPE = {
  label: "Warpnoise: Stylize Animation",
  description: "Render and stylize an animation in parts, then write its movie and a file with the result in its compositor",
  settings: [
    { key: "start", type: "int32", required: true, eval: "C.scene.frame_start", visible: "submission", description: "First frame" },
    { key: "end", type: "int32", required: true, eval: "C.scene.frame_end", visible: "submission", description: "Last frame" },
    { key: "step", type: "int32", default: 1, eval: "C.scene.frame_step", visible: "submission", description: "The distance from one frame to the next" },
    { key: "pass_chunk", type: "int32", default: 24, propargs: { min: 1 }, visible: "submission",
      description: "Frames that one task renders" },
    { key: "stylize_chunk", type: "int32", default: 48, propargs: { min: 1 }, visible: "submission",
      description: "Frames that one task stylizes. Each task advances the noise from the shot's start" },
    { key: "job_folder", type: "string", subtype: "dir_path", required: true, visible: "submission",
      description: "Job folder, on storage that all workers share. Give a scene whose linked files have changed a new one" },
    { key: "more_arguments", type: "string", default: "", visible: "submission",
      description: "More arguments of `warpnoise export`, such as --strength 0.6. Without them the scene's own settings" },
    { key: "backend", type: "string", default: "warpnoise", visible: "submission",
      description: "The backend's command on the workers, or a variable of the Manager such as {warpnoise}" },

    // Found out when the job is submitted.
    { key: "blendfile", type: "string", required: true, description: "The file to render", visible: "web" },
    { key: "scene", type: "string", required: true, eval: "C.scene.name", description: "The scene to render", visible: "web" },
  ],
};

function compileJob(job) {
  const settings = job.settings;
  const frames = Math.floor((settings.end - settings.start) / settings.step) + 1;
  if (!(frames > 0)) {
    throw `the frame range is empty: ${settings.start} to ${settings.end} in steps of ${settings.step}`;
  }
  const step = (tasks, before) => {
    for (const task of tasks) {
      for (const other of before) task.addDependency(other);
      job.addTask(task);
    }
    return tasks;
  };
  const parts = (size) => {
    const count = Math.ceil(frames / size);
    return Array.from({ length: count }, (_, index) => `${index + 1}/${count}`);
  };
  const range = `--frames=${settings.start}-${settings.end}:${settings.step}`;
  const more = settings.more_arguments.split(" ").filter((text) => text.length > 0);
  const folder = settings.job_folder;
  const saved = path.join(folder, `${path.stem(settings.blendfile)}-stylized.blend`);

  const passes = step(parts(settings.pass_chunk).map((part) =>
    blenderTask(`passes ${part}`, settings, ["export", range, "--chunk", part].concat(more))), []);
  const keys = step([backendTask("key frames", settings, ["keyframes", folder])], passes);
  const stylized = step(parts(settings.stylize_chunk).map((part) =>
    backendTask(`stylize ${part}`, settings, ["stylize", folder, "--chunk", part, "--no-movie"])), keys);
  const accumulated = step([backendTask("accumulate", settings, ["accumulate", folder])], stylized);
  step([backendTask("movie", settings, ["movie", folder])], accumulated);
  step([blenderTask("compositor", settings, ["compositor", "--save", saved])], accumulated);
}

function blenderTask(name, settings, action) {
  const task = author.Task(name, "blender");
  task.addCommand(author.Command("blender-render", {
    exe: "{blender}",
    exeArgs: "{blenderArgs}",
    argsBefore: [],
    blendfile: settings.blendfile,
    args: ["--command", "warpnoise"].concat(action, ["--scene", settings.scene, "--output", settings.job_folder]),
  }));
  return task;
}

function backendTask(name, settings, args) {
  const task = author.Task(name, "misc");
  task.addCommand(author.Command("exec", { exe: settings.backend, args: args }));
  return task;
}
