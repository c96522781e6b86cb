// SPDX-License-Identifier: GPL-3.0-or-later
// Flamenco job type: an animation stylized in parts, then brought together. See docs/farms.md.
"use strict";

const JOB_TYPE = {
  label: "Warpnoise: Stylize Animation",
  description: "Render and stylize an animation in parts, then write its movie and a file with the result in its compositor",
  settings: [
    { key: "start", type: "int32", required: true, eval: "C.scene.frame_start", visible: "submission", description: "First frame" },
    { key: "end", type: "int32", required: true, eval: "C.scene.frame_end", visible: "submission", description: "Last frame" },
    { key: "step", type: "int32", default: 1, eval: "C.scene.frame_step", visible: "submission", description: "Every how many frames" },
    { key: "chunk_size", type: "int32", default: 24, propargs: { min: 1 }, visible: "submission",
      description: "Frames that one task renders and stylizes" },
    { key: "job_folder", type: "string", subtype: "dir_path", required: true, visible: "submission",
      description: "Job folder, on storage that all workers share. Give a scene whose linked files have changed a new one" },
    { key: "more_arguments", type: "string", default: "", visible: "submission",
      description: "More arguments of `warpnoise stylize`, such as --strength 0.6. Without them the scene's own settings" },

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
  const chunks = Math.ceil(frames / settings.chunk_size);
  const last = stylizeTask("collect", settings, [
    "--keep-existing",
    "--save", path.join(settings.job_folder, `${path.stem(settings.blendfile)}-stylized.blend`),
  ]);
  for (let number = 1; number <= chunks; number++) {
    const task = stylizeTask(`stylize-${number}-of-${chunks}`, settings, ["--chunk", `${number}/${chunks}`]);
    // No dependencies among parts: each makes the motion of earlier frames where nobody has got to it yet.
    job.addTask(task);
    last.addDependency(task);
  }
  job.addTask(last);
}

function stylizeTask(name, settings, more) {
  const task = author.Task(name, "blender");
  task.addCommand(author.Command("blender-render", {
    exe: "{blender}",
    exeArgs: "{blenderArgs}",
    argsBefore: [],
    blendfile: settings.blendfile,
    args: [
      "--command", "warpnoise", "stylize",
      "--scene", settings.scene,
      `--frames=${settings.start}:${settings.end}:${settings.step}`,
      "--output", settings.job_folder,
    ].concat(settings.more_arguments.split(" ").filter((text) => text.length > 0), more),
  }));
  return task;
}
